package dev.graft.cli.train;

import dev.graft.cli.terminal.Interruption;
import dev.graft.cli.terminal.ProgressLine;
import dev.graft.cli.terminal.Table;
import dev.graft.cli.terminal.Terminal;
import dev.graft.run.PreparedRun;
import dev.graft.train.LearningRateFinder;
import dev.graft.train.LearningRateFinder.Point;
import dev.graft.train.LearningRateFinder.Result;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;

/** {@code --find-lr}: losses at growing learning rates, as a curve, and a suggestion. */
record RateFinderRun(PreparedRun prepared, PrintWriter err) {
    private static final double LOWEST = 1e-6;
    private static final double HIGHEST = 1;
    private static final int STEPS = 100;
    private static final int LINES = 25;
    private static final int WIDTH = 50;

    String text() {
        try (ProgressLine line = new ProgressLine(err, Terminal.isLive(), 10)) {
            int[] asked = {0};
            BooleanSupplier interrupted = () -> {
                line.show("step " + ++asked[0] + " of at most " + STEPS);
                return Interruption.requested();
            };
            Result result = new LearningRateFinder(prepared.settings(), prepared.adapter(), prepared.train())
                    .run(LOWEST, HIGHEST, STEPS, interrupted);
            return curve(result) + advice(result);
        }
    }

    private static String curve(Result result) {
        List<Point> points = result.points();
        double least = points.stream().mapToDouble(Point::smooth).min().orElse(0);
        // Beyond twice the first loss the curve tells nothing.
        double most = Math.min(
                points.stream().mapToDouble(Point::smooth).max().orElse(1),
                2 * points.get(0).smooth());
        Table table = new Table("learning rate", "loss", "");
        int every = Math.max(1, (points.size() + LINES - 1) / LINES);
        for (int i = 0; i < points.size(); i += every) {
            Point point = points.get(i);
            double share = (Math.min(point.smooth(), most) - least) / Math.max(1e-12, most - least);
            table.row(
                    rate(point.rate()),
                    String.format(Locale.ROOT, "%.4f", point.smooth()),
                    "▏" + "█".repeat((int) Math.round(share * WIDTH)));
        }
        return table.toString();
    }

    private static String advice(Result result) {
        Double suggestion = result.suggestion();
        if (suggestion == null) {
            return "\nThe loss never fell: look at the rows and their labels first.\n";
        }
        return "\nThe loss falls fastest at " + rate(suggestion) + " and is lowest at " + rate(result.lowest())
                + ".\nTry learning_rate=" + rate(suggestion) + ". Nothing was written.\n";
    }

    private static String rate(double rate) {
        return String.format(Locale.ROOT, "%.1e", rate).replace("e-0", "e-").replace("e+00", "");
    }
}
