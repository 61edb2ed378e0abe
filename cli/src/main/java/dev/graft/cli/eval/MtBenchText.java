package dev.graft.cli.eval;

import dev.graft.cli.terminal.Table;
import dev.graft.eval.suites.Suite;
import dev.graft.eval.suites.chat.MtMatches;
import dev.graft.eval.suites.chat.MtRatings;
import dev.graft.formats.Json;
import dev.graft.run.suites.MtBenchRun;
import java.util.Locale;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The judgements of MT-Bench for people and for programs. */
record MtBenchText(MtBenchRun.Result result) {

    String shown(boolean json) {
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        boolean twin = Suite.isTwin(result.folder());
        report.put("suite", "mt-bench").put("data", result.folder().toString());
        report.put("data_is", twin ? "twin" : "real").put("judge", result.judge());
        report.put("questions", result.questions());
        if (result.questions() < result.all()) {
            report.put("of_questions", result.all());
        }
        Table table = new Table("metric", "value");
        MtRatings ratings = result.ratings();
        if (ratings != null) {
            rate(ratings, report, table);
        }
        MtMatches matches = result.matches();
        if (matches != null) {
            report.put("against", result.against());
            compare(matches, report, table);
        }
        return json
                ? Json.pretty(report)
                : "mt-bench, " + result.folder() + (twin ? ": a twin, generated rows" : " (real)") + ", "
                        + result.questions() + " of " + result.all() + " questions of two turns, judged by "
                        + result.judge() + "\n" + table;
    }

    private static void rate(MtRatings ratings, ObjectNode report, Table table) {
        ratings.means().forEach((name, mean) -> {
            if (Double.isFinite(mean)) {
                report.put(name, mean);
                table.row(name, number(mean));
            }
        });
        report.put("unreadable", ratings.failures()).put("not_judged", ratings.unrated());
        table.row("judgements that can't be read", Long.toString(ratings.failures()));
        table.row("turns the judge says nothing of", Long.toString(ratings.unrated()));
    }

    private static void compare(MtMatches matches, ObjectNode report, Table table) {
        report.put("wins", matches.wins()).put("losses", matches.losses()).put("ties", matches.ties());
        report.put("order_decided", matches.inconsistent()).put("unreadable", matches.failures());
        table.row("wins", Long.toString(matches.wins()));
        table.row("losses", Long.toString(matches.losses()));
        table.row("ties", Long.toString(matches.ties()));
        table.row("of them decided by the order", Long.toString(matches.inconsistent()));
        table.row("judgements that can't be read", Long.toString(matches.failures()));
        if (Double.isFinite(matches.winRate())) {
            report.put("win_rate_adjusted", matches.winRate());
            table.row("wins and half of the ties", number(matches.winRate()));
        }
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }
}
