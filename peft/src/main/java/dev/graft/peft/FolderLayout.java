package dev.graft.peft;

import dev.graft.formats.Fields;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** The layout of an adapter's folder in one tool. */
interface FolderLayout {
    /** The file of the configuration, in every layout. */
    String CONFIG = "adapter_config.json";

    /** The file of the tensors. */
    String tensorFile();

    /** Reads the configuration of a folder; every field is used or refused. */
    AdapterConfig read(Fields config, Path folder);

    /** Returns the file of a trained head's tensors, which may be missing; null if they are among the others. */
    default @Nullable String headFile() {
        return null;
    }

    /** Returns the files that accompany the head's tensors, by file name. */
    default Map<String, ObjectNode> headConfig(AdapterContent adapter) {
        return Map.of();
    }

    /** Returns whether a key belongs to the head's file. */
    default boolean isOfHead(String key) {
        return false;
    }

    /**
     * Returns the configuration of an adapter.
     *
     * @param method the method that the file describes
     */
    ObjectNode write(AdapterContent adapter, Method method);

    /** Returns a parameter's key in the file. */
    String fileKey(AdapterConfig config, String parameter);

    /** Returns a key of the file in the form of {@link #fileKey}, if the tool has several forms. */
    default String canonicalKey(String key) {
        return key;
    }

    /** Returns second names of a trained parameter in the file. */
    default List<String> aliasKeys(AdapterContent adapter, String parameter) {
        return List.of();
    }

    /** Returns the tensors of the base that the file also contains, by their keys. */
    default Map<String, Tensor> baseCopies(AdapterContent adapter) {
        return Map.of();
    }

    /** Returns whether these copies are also written. */
    default boolean writesBaseCopies() {
        return true;
    }

    /** Returns whether the tool leaves a key in its files by accident, with no effect on the result. */
    default boolean isLeftover(String key, AdapterContent adapter) {
        return false;
    }
}
