package dev.graft.train.data;

import java.util.List;

/** The supported forms of rows, each with the keys it needs. */
public enum RowShape {
    CLASSIFICATION(
            "classification",
            List.of("text", "label"),
            List.of("text_pair"),
            "{\"text\": \"a good film\", \"label\": \"positive\"}"),
    CHAT(
            "chat",
            List.of("messages"),
            List.of("system", "tools"),
            "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\":"
                    + " \"Hello!\"}]}"),
    INSTRUCTION(
            "instructions",
            List.of("instruction", "output"),
            List.of("input", "system"),
            "{\"instruction\": \"Translate to French\", \"input\": \"Hello\", \"output\": \"Bonjour\"}"),
    PROMPT_COMPLETION(
            "prompt and completion",
            List.of("prompt", "completion"),
            List.of("system", "tools"),
            "{\"prompt\": \"2 + 2 =\", \"completion\": \" 4\"}"),
    PREFERENCE(
            "preferences",
            List.of("chosen", "rejected"),
            List.of("prompt", "question", "instruction", "input", "system", "tools"),
            "{\"prompt\": \"2 + 2 =\", \"chosen\": \" 4\", \"rejected\": \" 5\"}"),
    JUDGED(
            "judged answers",
            List.of("prompt", "completion", "label"),
            List.of("messages", "instruction", "input", "output", "system", "tools"),
            "{\"prompt\": \"2 + 2 =\", \"completion\": \" 4\", \"label\": true}"),
    WORDS(
            "words with tags",
            List.of("tokens", "tags"),
            List.of(),
            "{\"tokens\": [\"Ada\", \"wrote\"], \"tags\": [\"B-PER\", \"O\"]}"),
    UNTAGGED("words without tags", List.of("tokens"), List.of(), "{\"tokens\": [\"Ada\", \"wrote\"]}"),
    CHOICE(
            "questions with choices",
            List.of("stem", "choices", "correct"),
            List.of("question", "start"),
            "{\"stem\": \"She opened the door and\", \"choices\": [\"went in.\", \"ate it.\"], \"correct\": 0}"),
    UNSOLVED(
            "questions with choices, unsolved",
            List.of("stem", "choices"),
            List.of("question", "start"),
            "{\"stem\": \"She opened the door and\", \"choices\": [\"went in.\", \"ate it.\"]}"),
    QUESTION(
            "questions on a text",
            List.of("question", "context", "answers"),
            List.of(),
            "{\"question\": \"Who?\", \"context\": \"Ada wrote it.\", \"answers\": {\"text\": [\"Ada\"],"
                    + " \"answer_start\": [0]}}"),
    UNANSWERED(
            "questions without answers",
            List.of("question", "context"),
            List.of(),
            "{\"question\": \"Who?\", \"context\": \"Ada wrote it.\"}"),
    TOKENS(
            "token ids with labels",
            List.of("input_ids", "labels"),
            List.of(),
            "{\"input_ids\": [1, 5, 9, 2], \"labels\": [-100, -100, 9, 2]}"),
    LABELLED_TOKENS(
            "token ids to classify",
            List.of("input_ids", "label"),
            List.of(),
            "{\"input_ids\": [101, 7592, 102], \"label\": 0}"),
    LABELLED_IMAGE(
            "images to classify",
            List.of("image", "label"),
            List.of(),
            "{\"image\": \"photos/17.jpg\", \"label\": \"cat\"}"),
    IMAGE_TEXT(
            "images with texts",
            List.of("image", "text"),
            List.of(),
            "{\"image\": \"photos/17.jpg\", \"text\": \"a cat on a chair\"}"),
    IMAGE_MASK(
            "images with masks",
            List.of("image", "mask"),
            List.of(),
            "{\"image\": \"photos/17.jpg\", \"mask\": \"masks/17.png\"}"),
    IMAGE("images without labels", List.of("image"), List.of(), "{\"image\": \"photos/17.jpg\"}"),
    SPEECH(
            "recordings with what is said",
            List.of("audio", "text"),
            List.of(),
            "{\"audio\": \"clips/17.wav\", \"text\": \"good morning\"}"),
    TEXT_PAIR(
            "pairs of texts that belong together",
            List.of("anchor", "positive"),
            List.of("negative"),
            "{\"anchor\": \"how do I undo a commit?\", \"positive\": \"git revert makes a commit that undoes one\"}"),
    SCORED_PAIR(
            "pairs of texts with a similarity",
            List.of("text", "text_pair", "score"),
            List.of(),
            "{\"text\": \"a man plays\", \"text_pair\": \"somebody makes music\", \"score\": 0.8}"),
    TEXT("texts without labels", List.of("text"), List.of("text_pair"), "{\"text\": \"a good film\"}");

    private final String title;
    private final List<String> keys;
    private final List<String> optional;
    private final String sample;

    RowShape(String title, List<String> keys, List<String> optional, String sample) {
        this.title = title;
        this.keys = keys;
        this.optional = optional;
        this.sample = sample;
    }

    /** Returns the shape in words, such as {@code prompt and completion}. */
    public String title() {
        return title;
    }

    /** Returns the keys that every row must have. */
    public List<String> keys() {
        return keys;
    }

    /** Returns the keys that a row may have beside the required ones, or in place of some. */
    public List<String> optional() {
        return optional;
    }

    /** Returns a sample row of this shape as JSON. */
    public String sample() {
        return sample;
    }
}
