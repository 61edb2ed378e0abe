package dev.graft.cli.doctor;

import dev.graft.cli.terminal.Table;
import dev.graft.formats.Json;
import dev.graft.run.doctor.DoctorFinding;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Findings by group, as text and as JSON. Apart from the command, whose class is loaded for {@code graft --help}. */
final class DoctorReport {
    private DoctorReport() {}

    static String text(Map<String, List<DoctorFinding>> findings) {
        StringBuilder text = new StringBuilder();
        findings.forEach((title, group) -> {
            Table table = new Table("", "", "");
            for (DoctorFinding finding : group) {
                String state = switch (finding.state()) {
                    case OK -> "  ok";
                    case WARNING -> "  warning";
                    case PROBLEM -> "  PROBLEM";
                };
                String advice = finding.advice() == null ? "" : ": " + finding.advice();
                table.row(state, finding.name(), finding.value() + advice);
            }
            text.append(text.isEmpty() ? "" : "\n").append(title).append('\n').append(table);
        });
        return text.toString();
    }

    static String json(Map<String, List<DoctorFinding>> findings) {
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        ArrayNode list = report.putArray("findings");
        findings.forEach((title, group) -> group.forEach(finding -> list.addObject()
                .put("group", title)
                .put("state", finding.state().name().toLowerCase(Locale.ROOT))
                .put("name", finding.name())
                .put("value", finding.value())
                .put("advice", finding.advice())));
        return Json.pretty(report);
    }
}
