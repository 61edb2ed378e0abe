package dev.graft.run.export;

/** The form of an exported model or adapter. */
public enum ExportFormat {
    HF("hf"),
    GGUF("gguf"),
    GGUF_ADAPTER("gguf-adapter");

    private final String title;

    ExportFormat(String title) {
        this.title = title;
    }

    /** Returns its name in options. */
    @Override
    public String toString() {
        return title;
    }
}
