package dev.graft.models.tokenizers;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;

/**
 * The Rust {@code tokenizers} library inside DJL's jar. It is called below DJL's own tokenizer class. That class keeps
 * truncation and padding as mutable state, cannot cut on the left and contacts a server on creation.
 */
final class NativeLibrary {

    static final TokenizersLibrary LIBRARY = load();

    private NativeLibrary() {}

    private static TokenizersLibrary load() {
        // Read while DJL's classes initialise: without them a host with CUDA downloads another build of the library.
        setIfAbsent("ai.djl.offline", "true");
        setIfAbsent("RUST_FLAVOR", "cpu");
        try {
            LibUtils.checkStatus();
            return TokenizersLibrary.LIB;
        } catch (LinkageError | RuntimeException e) {
            throw new IllegalStateException(
                    "cannot load the native tokenizers library for " + System.getProperty("os.name") + " "
                            + System.getProperty("os.arch")
                            + " (built for linux x86_64 and aarch64, macOS aarch64, Windows x86_64; unpacked to"
                            + " ~/.djl.ai/tokenizers): "
                            + e.getMessage(),
                    e);
        }
    }

    private static void setIfAbsent(String key, String value) {
        if (System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }
}
