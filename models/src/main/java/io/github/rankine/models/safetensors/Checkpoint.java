package io.github.rankine.models.safetensors;

import io.github.rankine.engine.RankineException;
import io.github.rankine.engine.tensor.DenseWeight;
import io.github.rankine.models.json.Json;
import io.github.rankine.models.json.JsonObject;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The weights in a Hugging Face checkpoint's folder: {@code model.safetensors}, or the shards that
 * {@code model.safetensors.index.json} names. Everything is mapped and nothing copied; closing unmaps it.
 */
public final class Checkpoint implements AutoCloseable {
    /** The file of a checkpoint that is not sharded. */
    public static final String SINGLE = "model.safetensors";

    /** The file that tells which shard holds which tensor. */
    public static final String INDEX = "model.safetensors.index.json";

    private static final Pattern SHARD = Pattern.compile("[^/\\\\:\\p{Cntrl}]+\\.safetensors");

    private final Path folder;
    private final List<SafetensorsFile> files;
    private final Map<String, SafetensorsFile> tensors;

    private Checkpoint(Path folder, List<SafetensorsFile> files, Map<String, SafetensorsFile> tensors) {
        this.folder = folder;
        this.files = files;
        this.tensors = tensors;
    }

    /**
     * Maps the checkpoint in a folder.
     *
     * @throws RankineException when there is none, or a file of it is missing or damaged
     */
    public static Checkpoint open(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new RankineException(folder + ": no such folder; expected one with config.json and " + SINGLE);
        }
        if (Files.exists(folder.resolve(SINGLE))) {
            SafetensorsFile file = SafetensorsFile.open(folder.resolve(SINGLE));
            Map<String, SafetensorsFile> tensors = new LinkedHashMap<>();
            file.tensors().forEach(tensor -> tensors.put(tensor.name(), file));
            return new Checkpoint(folder, List.of(file), tensors);
        }
        if (Files.exists(folder.resolve(INDEX))) {
            return openShards(folder);
        }
        throw noWeights(folder);
    }

    private static Checkpoint openShards(Path folder) {
        JsonObject index = Json.readObject(folder.resolve(INDEX));
        Map<String, String> weightMap = index.stringMap("weight_map");
        if (weightMap.isEmpty()) {
            throw index.unexpected("weight_map", "an object that names a shard for each tensor");
        }
        Map<String, SafetensorsFile> shards = new LinkedHashMap<>();
        try {
            Map<String, SafetensorsFile> tensors = new LinkedHashMap<>();
            weightMap.forEach((name, shard) -> {
                SafetensorsFile file = shards.computeIfAbsent(shard, _ -> openShard(folder, name, shard, index));
                if (!file.has(name)) {
                    throw index.error(
                            "weight_map",
                            "tensor '" + name + "' is not in " + shard
                                    + "; download the index and the shards again, all of one version");
                }
                tensors.put(name, file);
            });
            return new Checkpoint(folder, List.copyOf(shards.values()), tensors);
        } catch (RuntimeException | Error e) {
            shards.values().forEach(SafetensorsFile::close);
            throw e;
        }
    }

    private static SafetensorsFile openShard(Path folder, String tensor, String shard, JsonObject index) {
        if (!SHARD.matcher(shard).matches()) {
            throw index.error(
                    "weight_map." + tensor, "'" + shard + "' is not the name of a .safetensors file in this folder");
        }
        Path file = folder.resolve(shard);
        if (!Files.exists(file)) {
            throw new RankineException(
                    file + ": no such file, though " + INDEX + " names it; download the missing shard");
        }
        return SafetensorsFile.open(file);
    }

    private static RankineException noWeights(Path folder) {
        for (String pickle : List.of("pytorch_model.bin", "pytorch_model.bin.index.json")) {
            if (Files.exists(folder.resolve(pickle))) {
                return new RankineException(
                        folder + ": only " + pickle + ", which Rankine does not read; convert it to " + SINGLE
                                + ", in Python: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder)");
            }
        }
        if (Files.exists(folder.resolve("adapter_model.safetensors"))) {
            return new RankineException(folder + ": an adapter, not a model; name the base model's folder here");
        }
        return new RankineException(
                folder + ": neither " + SINGLE + " nor " + INDEX + "; expected a checkpoint's folder");
    }

    /** The folder that holds it. */
    public Path folder() {
        return folder;
    }

    /** Its safetensors files. */
    public List<SafetensorsFile> files() {
        return files;
    }

    /** Its tensors over all shards. */
    public List<TensorInfo> tensors() {
        List<TensorInfo> infos = new ArrayList<>();
        tensors.forEach((name, file) -> infos.add(file.info(name)));
        return infos;
    }

    /** Bytes of all its tensors. */
    public long bytes() {
        return tensors().stream().mapToLong(TensorInfo::bytes).sum();
    }

    /** Whether there is a tensor of that name. */
    public boolean has(String name) {
        return tensors.containsKey(name);
    }

    /** What is known of a tensor. @throws RankineException when there is none of that name */
    public TensorInfo info(String name) {
        return file(name).info(name);
    }

    /** The bytes of a tensor in the mapping, read-only. @throws RankineException when there is none of that name */
    public MemorySegment bytes(String name) {
        return file(name).bytes(name);
    }

    /**
     * A tensor as a weight over the mapping, valid until this checkpoint is closed.
     *
     * @param rows rows that it must have; 1 for a vector
     * @param cols columns that it must have
     * @throws RankineException when it is missing, of another shape, or of a type that the engine does not compute with
     */
    public DenseWeight weight(String name, long rows, long cols) {
        SafetensorsFile file = file(name);
        DenseWeight weight = file.weight(name);
        if (weight.rows() != rows || weight.cols() != cols) {
            List<Long> expected = rows == 1 ? List.of(cols) : List.of(rows, cols);
            throw new RankineException(file.path() + ": tensor '" + name + "': shape "
                    + file.info(name).shape() + ", expected " + expected + " by config.json; do they belong together?");
        }
        return weight;
    }

    /**
     * The same in a mapping of its own, which goes with {@code arena} and takes what was read of it out of the process's memory.
     *
     * @throws RankineException when it is missing, of another shape, or of a type that the engine does not compute with
     */
    public DenseWeight mapped(String name, long rows, long cols, Arena arena) {
        weight(name, rows, cols);
        return file(name).mapped(name, arena);
    }

    private SafetensorsFile file(String name) {
        SafetensorsFile file = tensors.get(name);
        if (file == null) {
            throw new RankineException(folder + ": no tensor '" + name + "' in " + fileNames()
                    + "; is the checkpoint complete, and of the model_type that config.json says?");
        }
        return file;
    }

    private String fileNames() {
        return files.size() == 1 ? files.getFirst().path().getFileName().toString() : files.size() + " shards";
    }

    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }
}
