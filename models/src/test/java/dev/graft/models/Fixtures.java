package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.models.forward.Inputs;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/** Tiny bases with what the reference libraries compute with them. */
public final class Fixtures {
    public static final Path BASES = Path.of("../parity/fixtures/bases");

    private final TensorSource reference;

    private Fixtures(TensorSource reference) {
        this.reference = reference;
    }

    public static Path folder(String base) {
        return BASES.resolve(base);
    }

    public static Fixtures of(String base) {
        return new Fixtures(Safetensors.open(folder(base).resolve("reference.safetensors")));
    }

    public boolean has(String name) {
        return reference.names().contains(name);
    }

    public Tensor tensor(String name) {
        return Tensors.of(
                reference.bytes(name),
                TensorConversion.type(reference.info(name)),
                reference.info(name).shape());
    }

    public int[][] ints(String name) {
        long[] flat = Tensors.longs(tensor(name));
        int columns = (int) reference.info(name).shape()[1];
        int[][] rows = new int[flat.length / columns][columns];
        for (int i = 0; i < flat.length; i++) {
            rows[i / columns][i % columns] = (int) flat[i];
        }
        return rows;
    }

    public Inputs inputs() {
        return new Inputs(
                tensor("input_ids"),
                tensor("attention_mask"),
                has("token_type_ids") ? tensor("token_type_ids") : null,
                null);
    }

    /** The manifests' tolerance for fp32, at positions that are not padding. */
    public void assertMatches(String name, Tensor actual) {
        Tensor expected = tensor(name);
        assertThat(Tensors.shape(actual)).as(name).isEqualTo(Tensors.shape(expected));
        Tensor difference = actual.sub(expected).abs();
        Tensor mask = tensor("attention_mask");
        if (expected.dim() >= 2 && expected.size(1) == mask.size(1)) {
            while (mask.dim() < expected.dim()) {
                mask = mask.unsqueeze(-1);
            }
            difference = difference.masked_fill(mask.eq(new Scalar(0L)), new Scalar(0.0));
        }
        assertThat(Tensors.item(difference.max()))
                .as(name)
                .isLessThan(1e-5 + 1e-4 * Tensors.item(expected.abs().max()));
    }

    public static double difference(Tensor a, Tensor b) {
        assertThat(Tensors.shape(a)).isEqualTo(Tensors.shape(b));
        return Tensors.item(a.sub(b).abs().max());
    }

    /** A copy of a base's files with another config.json. */
    public static Path copy(String base, Path folder, Consumer<ObjectNode> change) {
        try (Stream<Path> files = Files.list(folder(base))) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
            ObjectNode config = (ObjectNode) Json.read(folder.resolve("config.json"));
            change.accept(config);
            Files.writeString(folder.resolve("config.json"), Json.pretty(config));
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The ids of a byte-level tokenizer of 64 tokens: letters, two bytes that are one character together, and two special tokens. */
    public static String tokenizerOf64() {
        List<String> characters = Stream.concat(
                        Stream.of("Ġ", "Ã", "©", ".", ",", "!", "?", "'", "-", "Ċ"),
                        Stream.concat(
                                "abcdefghijklmnopqrstuvwxyz".chars().mapToObj(Character::toString),
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ".chars().mapToObj(Character::toString)))
                .toList();
        ObjectNode root = tools.jackson.databind.node.JsonNodeFactory.instance.objectNode();
        root.put("version", "1.0");
        root.putArray("added_tokens")
                .addObject()
                .put("id", 62)
                .put("content", "<end>")
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", true);
        root.putNull("normalizer");
        root.putObject("pre_tokenizer")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", true);
        root.putNull("post_processor");
        root.putObject("decoder")
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", true);
        ObjectNode model = root.putObject("model").put("type", "BPE");
        ObjectNode vocab = model.putObject("vocab");
        for (String character : characters) {
            vocab.put(character, vocab.size());
        }
        vocab.put("<end>", 62);
        vocab.put("zz", 63);
        model.putArray("merges");
        return Json.compact(root);
    }
}
