package dev.graft.formats;

import dev.graft.formats.internal.NameHint;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * Tensors spread over several safetensors files with an index such as {@code model.safetensors.index.json}. The index and the shards must agree
 * exactly: a tensor in another shard than the index says, or absent from the index, is refused.
 *
 * <pre>{@code
 * try (TensorSource model = ShardedSafetensors.open(Path.of("model.safetensors.index.json"))) {
 *     System.out.println(model.info("lm_head.weight"));
 * }
 * }</pre>
 */
public final class ShardedSafetensors implements TensorSource {

    private final Path index;
    private final Map<String, Safetensors> shards = new LinkedHashMap<>();
    private final Map<String, Safetensors> shardOf = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    private ShardedSafetensors(Path index) {
        this.index = index;
    }

    /**
     * Opens an index and all its shards.
     *
     * @throws FormatException if a shard is missing, lies outside the folder of the index, or disagrees with it
     */
    public static ShardedSafetensors open(Path index) {
        ShardedSafetensors sharded = new ShardedSafetensors(index);
        try {
            sharded.read();
            return sharded;
        } catch (RuntimeException | Error e) {
            sharded.close();
            throw e;
        }
    }

    private void read() {
        Fields fields = Fields.read(index);
        Fields weightMap = fields.object("weight_map");
        Map<String, String> expected = new LinkedHashMap<>();
        for (String tensor : weightMap.names()) {
            String file = weightMap.string(tensor);
            expected.put(tensor, file);
            if (!shards.containsKey(file)) {
                shards.put(file, openShard(tensor, file));
            }
        }
        shards.forEach((file, shard) -> {
            for (String tensor : shard.names()) {
                if (!file.equals(expected.get(tensor))) {
                    throw new FormatException(
                            shard.path(),
                            "holds tensor " + tensor + ", which " + index.getFileName()
                                    + (expected.containsKey(tensor)
                                            ? " puts into " + expected.get(tensor)
                                            : " does not know"));
                }
                shardOf.put(tensor, shard);
            }
        });
        for (Map.Entry<String, String> entry : expected.entrySet()) {
            if (!shardOf.containsKey(entry.getKey())) {
                throw new FormatException(
                        index,
                        "puts tensor " + entry.getKey() + " into " + entry.getValue() + ", which does not hold it");
            }
        }
        Fields described = fields.objectOrNull("metadata");
        if (described != null) {
            for (String name : described.names()) {
                metadata.put(name, String.valueOf(described.node(name)));
            }
        }
    }

    private Safetensors openShard(String tensor, String file) {
        if (file.isEmpty() || file.equals(".") || file.equals("..") || file.matches(".*[/\\\\\0].*")) {
            throw new FormatException(
                    index,
                    "puts tensor " + tensor + " into \"" + file + "\", expected the name of a file beside the index");
        }
        try {
            return Safetensors.open(index.resolveSibling(file));
        } catch (FormatException e) {
            throw new FormatException(index.toString(), "shard of tensor " + tensor + ": " + e.getMessage(), e);
        }
    }

    /** All names, shard by shard. */
    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(shardOf.keySet());
    }

    /** The files of the tensors, in the order of the index. */
    public Set<Path> shards() {
        Set<Path> paths = new LinkedHashSet<>();
        shards.values().forEach(shard -> paths.add(shard.path()));
        return paths;
    }

    @Override
    public TensorInfo info(String name) {
        return shard(name).info(name);
    }

    @Override
    public ByteBuffer bytes(String name) {
        return shard(name).bytes(name);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        shard(name).read(name, into);
    }

    /** The {@code metadata} object of the index as text. */
    @Override
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    @Override
    public Path path() {
        return index;
    }

    private Safetensors shard(String name) {
        Safetensors shard = shardOf.get(name);
        if (shard == null) {
            throw new FormatException(
                    index, "knows no tensor \"" + name + "\"" + NameHint.hint(name, shardOf.keySet()));
        }
        return shard;
    }

    @Override
    public void close() {
        shards.values().forEach(Safetensors::close);
    }
}
