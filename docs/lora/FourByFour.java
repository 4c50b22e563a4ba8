import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.kernels.KernelsLookup;
import io.github.rankine.engine.tensor.Tensor;
import java.lang.foreign.Arena;

/** The explainers' first figure: a 4 × 4 update from a 4 × 1 and a 1 × 4 matrix. */
void main() {
    try (Arena arena = Arena.ofShared();
            Kernels kernels = KernelsLookup.best(1)) {
        Tensor b = Tensor.copyOf(arena, 4, 1, 1, 2, -1, 3);
        Tensor a = Tensor.copyOf(arena, 1, 4, 2, 0, 1, -1);
        Tensor update = Tensor.allocate(arena, 4, 4);
        kernels.matmulNN(b, a.asWeight(), update, 1, false);
        print("B [4, 1]", b);
        print("A [1, 4]", a);
        print("ΔW = B · A [4, 4]", update);
        System.out.println((b.size() + a.size()) + " numbers are trained in place of " + update.size());
    }
}

void print(String name, Tensor matrix) {
    System.out.println(name);
    for (long row = 0; row < matrix.rows(); row++) {
        for (long col = 0; col < matrix.cols(); col++) {
            System.out.printf("%6.1f", matrix.get(row, col));
        }
        System.out.println();
    }
}
