package io.github.rankine.models.run;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.kernels.Kernels;
import io.github.rankine.engine.tape.Parameter;
import io.github.rankine.engine.train.Sample;
import io.github.rankine.engine.train.TrainingConfig;
import io.github.rankine.models.config.ModelConfig;
import io.github.rankine.models.family.CausalLanguageModel;
import io.github.rankine.models.safetensors.Checkpoint;
import io.github.rankine.models.safetensors.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** All that a run's result follows from, by name: settings as they are, files and data as fingerprints (SHA-256). */
final class Settings {
    private static final String FINGERPRINT = "sha256:";

    /** Bytes of each tensor in a base's fingerprint: another base differs in each, and all of it would take long. */
    private static final long TENSOR_BYTES = 1024;

    private Settings() {}

    static Map<String, String> of(
            CausalLanguageModel model, Trainee trainee, TrainingData data, TrainingConfig config, Kernels kernels) {
        Map<String, String> settings = new LinkedHashMap<>();
        putAll(settings, config);
        // It changes the memory that a run takes and no bit of its result.
        settings.remove("recompute");
        // Before what follows from it, so that a difference is told by its cause.
        settings.put("quantization", model.quantization().map(Enum::name).orElse("none"));
        settings.put("model", fingerprint(model.checkpoint().orElseThrow()));
        settings.putAll(trainee.settings());
        settings.put("data", fingerprint(data.samples()));
        settings.put("eval-data", fingerprint(data.evalSamples()));
        settings.put("kernels", kernels.name());
        return settings;
    }

    /** Says in words in what two values of a setting differ. */
    static String difference(String name, String saved, String now) {
        if (now.startsWith(FINGERPRINT) || saved == null) {
            return "the " + name.replace('-', ' ') + " is not what the run began with";
        }
        return "the run began with " + name + " " + saved + ", not " + now;
    }

    static void putAll(Map<String, String> settings, Record config) {
        for (RecordComponent component : config.getClass().getRecordComponents()) {
            try {
                String name = component.getName().replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
                settings.put(name, String.valueOf(component.getAccessor().invoke(config)));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private static String fingerprint(Checkpoint base) {
        MessageDigest digest = sha256();
        try {
            digest.update(Files.readAllBytes(base.folder().resolve(ModelConfig.FILE)));
        } catch (IOException e) {
            throw new RankineException(
                    base.folder().resolve(ModelConfig.FILE) + ": cannot be read (" + e.getMessage() + ")", e);
        }
        for (TensorInfo tensor : base.tensors()) {
            digest.update((tensor.name() + tensor.type() + tensor.shape()).getBytes(StandardCharsets.UTF_8));
            MemorySegment bytes = base.bytes(tensor.name());
            digest.update(
                    bytes.asSlice(0, Math.min(TENSOR_BYTES, bytes.byteSize())).asByteBuffer());
        }
        return finish(digest);
    }

    private static String fingerprint(List<Sample> samples) {
        MessageDigest digest = sha256();
        for (Sample sample : samples) {
            ByteBuffer bytes = ByteBuffer.allocate(4 + 8 * sample.length());
            bytes.putInt(sample.length());
            bytes.asIntBuffer().put(sample.inputIds()).put(sample.labels());
            digest.update(bytes.rewind());
        }
        return finish(digest);
    }

    static String fingerprintOf(List<Parameter> parameters) {
        MessageDigest digest = sha256();
        for (Parameter parameter : parameters) {
            digest.update(parameter.toString().getBytes(StandardCharsets.UTF_8));
            MemorySegment bytes = parameter.value().asTensor().segment();
            for (long start = 0; start < bytes.byteSize(); start += 1 << 20) {
                digest.update(bytes.asSlice(start, Math.min(1 << 20, bytes.byteSize() - start))
                        .asByteBuffer());
            }
        }
        return finish(digest);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String finish(MessageDigest digest) {
        return FINGERPRINT + HexFormat.of().formatHex(digest.digest());
    }
}
