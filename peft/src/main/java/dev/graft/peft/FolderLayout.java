package dev.graft.peft;

import dev.graft.formats.Fields;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/** How one tool lays out an adapter's folder. */
interface FolderLayout {
    /** The file that the tensors are in. */
    String tensorFile();

    /** Reads the configuration; every field is honoured or refused. */
    AdapterConfig read(Fields config);

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

    /** Whether a key is one that the tool leaves in its files by accident, of no effect on the result. */
    default boolean isLeftover(String key, Adapter adapter) {
        return false;
    }
}
