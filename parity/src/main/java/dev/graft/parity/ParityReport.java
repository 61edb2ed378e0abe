package dev.graft.parity;

import dev.graft.formats.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The results of all cases, in the order in which they ran. */
public record ParityReport(List<CaseResult> cases) {
    public ParityReport {
        cases = List.copyOf(cases);
    }

    public List<CaseResult> passed() {
        return with(CaseResult.Status.PASSED);
    }

    public List<CaseResult> failed() {
        return with(CaseResult.Status.FAILED);
    }

    public List<CaseResult> notCovered() {
        return with(CaseResult.Status.NOT_COVERED);
    }

    private List<CaseResult> with(CaseResult.Status status) {
        return cases.stream().filter(result -> result.status() == status).toList();
    }

    /**
     * One line: {@code {"passed": n, "failed": [ids], "not_covered": [ids], "cases": [{"id", "status", "max_error", "tolerance",
     * "message"}]}}. A difference that has no size, such as NaN against a number, is null.
     */
    public String toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("passed", passed().size());
        ArrayNode failed = json.putArray("failed");
        failed().forEach(result -> failed.add(result.id()));
        ArrayNode notCovered = json.putArray("not_covered");
        notCovered().forEach(result -> notCovered.add(result.id()));
        ArrayNode all = json.putArray("cases");
        for (CaseResult result : cases) {
            ObjectNode one = all.addObject();
            one.put("id", result.id());
            one.put("status", result.status().name().toLowerCase(Locale.ROOT));
            if (Double.isFinite(result.maxError())) {
                one.put("max_error", result.maxError());
            } else {
                one.putNull("max_error");
            }
            one.put("tolerance", result.tolerance());
            if (!result.message().isEmpty()) {
                one.put("message", result.message());
            }
        }
        return Json.compact(json);
    }

    /** A line for each group: its counts, and the largest error of a case that passed. */
    public String table() {
        Map<String, List<CaseResult>> groups = new LinkedHashMap<>();
        for (CaseResult result : cases) {
            groups.computeIfAbsent(result.group(), group -> new ArrayList<>()).add(result);
        }
        StringBuilder table = new StringBuilder(String.format(
                Locale.ROOT, "%-12s %7s %7s %12s  %s%n", "group", "passed", "failed", "not covered", "worst"));
        groups.forEach((group, results) -> table.append(line(group, new ParityReport(results))));
        return table.append(line("all", this)).toString();
    }

    private static String line(String name, ParityReport part) {
        double worst =
                part.passed().stream().mapToDouble(CaseResult::maxError).max().orElse(0);
        return String.format(
                Locale.ROOT,
                "%-12s %7d %7d %12d  %s%n",
                name,
                part.passed().size(),
                part.failed().size(),
                part.notCovered().size(),
                worst == 0 ? "-" : String.format(Locale.ROOT, "%.1e", worst));
    }
}
