package dev.graft.train.checkpoints;

import dev.graft.formats.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/** Differences between a run and the one that saved a checkpoint: its settings first, then its rows, then the parameters that follow from them. */
final class RunDifferences {
    private static final String PARAMETERS = "adapter.parameters.";

    /** Digests of rows, which checkpoints of earlier versions don't have. */
    private static final Map<String, String> ROWS = Map.of(
            "data.training_sha256",
            "the training data are others (their rows, labels or order)",
            "data.validation_sha256",
            "the validation data are others (their rows, labels or order)");

    private final List<String> settings = new ArrayList<>();
    private final List<String> rows = new ArrayList<>();
    private final List<String> parameters = new ArrayList<>();

    RunDifferences(JsonNode saved, JsonNode now) {
        compare("", saved, now);
    }

    /** Returns the differences; empty if there is none. */
    List<String> text() {
        List<String> text = new ArrayList<>(settings);
        text.addAll(rows);
        if (!parameters.isEmpty()) {
            String number = parameters.size() == 1 ? "1 parameter differs" : parameters.size() + " parameters differ";
            text.add(number + (parameters.size() == 1 ? ": " : ", the first: ") + parameters.get(0));
        }
        return text;
    }

    private void compare(String path, JsonNode saved, JsonNode now) {
        if (saved.isObject() && now.isObject()) {
            TreeSet<String> keys = new TreeSet<>(saved.propertyNames());
            keys.addAll(now.propertyNames());
            for (String key : keys) {
                compare(path.isEmpty() ? key : path + "." + key, saved.path(key), now.path(key));
            }
            return;
        }
        String was = shown(saved);
        String is = shown(now);
        String changed = ROWS.get(path);
        if (was.equals(is) || changed != null && (saved.isMissingNode() || now.isMissingNode())) {
            return;
        }
        if (changed != null) {
            rows.add(changed);
        } else if (path.startsWith(PARAMETERS)) {
            parameters.add(path.substring(PARAMETERS.length()) + " was " + was + " and is now " + is);
        } else {
            settings.add(path + " was " + was + " and is now " + is);
        }
    }

    private static String shown(JsonNode value) {
        return value.isMissingNode() ? "absent" : Json.compact(value);
    }
}
