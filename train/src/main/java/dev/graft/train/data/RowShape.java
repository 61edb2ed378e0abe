package dev.graft.train.data;

import java.util.List;

/** The forms of row that are read, each with the keys it needs. */
public enum RowShape {
    CLASSIFICATION("classification", List.of("text", "label"), "{\"text\": \"a good film\", \"label\": \"positive\"}"),
    CHAT(
            "chat",
            List.of("messages"),
            "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Hello!\"}]}"),
    PROMPT_COMPLETION(
            "prompt and completion",
            List.of("prompt", "completion"),
            "{\"prompt\": \"2 + 2 =\", \"completion\": \" 4\"}"),
    TOKENS(
            "token ids with labels",
            List.of("input_ids", "labels"),
            "{\"input_ids\": [1, 5, 9, 2], \"labels\": [-100, -100, 9, 2]}"),
    LABELLED_TOKENS(
            "token ids to classify", List.of("input_ids", "label"), "{\"input_ids\": [101, 7592, 102], \"label\": 0}"),
    LABELLED_IMAGE(
            "images to classify", List.of("image", "label"), "{\"image\": \"photos/17.jpg\", \"label\": \"cat\"}"),
    IMAGE("images without labels", List.of("image"), "{\"image\": \"photos/17.jpg\"}"),
    TEXT("texts without labels", List.of("text"), "{\"text\": \"a good film\"}");

    private final String title;
    private final List<String> keys;
    private final String sample;

    RowShape(String title, List<String> keys, String sample) {
        this.title = title;
        this.keys = keys;
        this.sample = sample;
    }

    /** In words, such as {@code prompt and completion}. */
    public String title() {
        return title;
    }

    /** The keys every row must have. */
    public List<String> keys() {
        return keys;
    }

    /** A row of this shape as JSON. */
    public String sample() {
        return sample;
    }
}
