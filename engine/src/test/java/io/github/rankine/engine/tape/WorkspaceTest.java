package io.github.rankine.engine.tape;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.rankine.engine.kernels.KernelsLookup;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WorkspaceTest {
    @Test
    void theSameCallsNeedWhatWasPlanned() {
        try (Workspace planning = Workspace.planning();
                Workspace real = Workspace.empty(KernelsLookup.best(1))) {
            play(planning);
            real.reserve(planning.peak());
            play(real);
            assertThat(real.peak()).isEqualTo(planning.peak()).isEqualTo(real.capacity());
            real.reserve(planning.peak() / 2);
            assertThat(real.capacity()).isEqualTo(planning.peak());
        }
    }

    @Test
    void whatIsGivenBackIsUsedAgain() {
        try (Workspace workspace = Workspace.planning()) {
            for (int i = 0; i < 100; i++) {
                Buffer a = workspace.take(3, 5);
                Buffer b = workspace.take(7, 11);
                workspace.give(a);
                workspace.give(b);
            }
            assertThat(workspace.peak()).isEqualTo(64 + 320);
        }
    }

    @Test
    void noTwoLiveBuffersOverlap() {
        try (Workspace workspace = Workspace.empty(KernelsLookup.best(1))) {
            workspace.reserve(1 << 20);
            Random random = new Random(1);
            List<Buffer> live = new ArrayList<>();
            for (int i = 0; i < 2000; i++) {
                if (live.size() > 20 || (!live.isEmpty() && random.nextBoolean())) {
                    Buffer buffer = live.remove(random.nextInt(live.size()));
                    float mark = buffer.tensor().get(0, 0);
                    for (float value : buffer.tensor().toArray()) {
                        assertThat(value).isEqualTo(mark);
                    }
                    workspace.give(buffer);
                } else {
                    Buffer buffer = workspace.take(1 + random.nextInt(9), 1 + random.nextInt(99));
                    for (long row = 0; row < buffer.tensor().rows(); row++) {
                        for (long col = 0; col < buffer.tensor().cols(); col++) {
                            buffer.tensor().set(row, col, i);
                        }
                    }
                    live.add(buffer);
                }
            }
        }
    }

    @Test
    void takingMoreThanWasReservedFails() {
        try (Workspace workspace = Workspace.empty(KernelsLookup.best(1))) {
            workspace.reserve(1000);
            assertThatThrownBy(() -> workspace.take(10, 100)).hasMessageContaining("planned too small");
        }
    }

    private static void play(Workspace workspace) {
        Random random = new Random(2);
        List<Buffer> live = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            if (!live.isEmpty() && random.nextInt(3) == 0) {
                workspace.give(live.remove(random.nextInt(live.size())));
            } else {
                live.add(workspace.take(1 + random.nextInt(20), 1 + random.nextInt(50)));
            }
        }
    }
}
