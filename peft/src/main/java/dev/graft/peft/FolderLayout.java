package dev.graft.peft;

import dev.graft.formats.Fields;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** How one tool lays out an adapter's folder. */
interface FolderLayout {
    /** The file that the tensors are in. */
    String tensorFile();

    /** Reads the configuration of a folder; every field is honoured or refused. */
    AdapterConfig read(Fields config, Path folder);

    /** The file that the tensors of a trained head are in, which may be missing; null where they are among the others. */
    default @Nullable String headFile() {
        return null;
    }

    /** What is written beside the head's tensors, by file name. */
    default Map<String, ObjectNode> headConfig(Adapter adapter) {
        return Map.of();
    }

    /** Whether a key of a file is in the head's. */
    default boolean isOfHead(String key) {
        return false;
    }

    /** The configuration of an adapter. */
    ObjectNode write(Adapter adapter);

    /** The key in the file of a parameter. */
    String toFile(AdapterConfig config, String parameter);

    /** A key of the file in the form that {@link #toFile} gives, where the tool has more than one. */
    default String canonical(String key) {
        return key;
    }

    /** Second names in the file of a trained parameter. */
    default List<String> twins(Adapter adapter, String parameter) {
        return List.of();
    }

    /** Tensors of the base that the file also holds, by their keys. */
    default Map<String, Tensor> baseCopies(Adapter adapter) {
        return Map.of();
    }

    /** Whether such copies are also written. */
    default boolean writesBaseCopies() {
        return true;
    }

    /** Whether a key is one that the tool leaves in its files by accident, of no effect on the result. */
    default boolean isLeftover(String key, Adapter adapter) {
        return false;
    }
}
