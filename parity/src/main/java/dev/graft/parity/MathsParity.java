package dev.graft.parity;

import dev.graft.eval.metrics.Accuracy;
import dev.graft.eval.metrics.Average;
import dev.graft.eval.metrics.ClassPrediction;
import dev.graft.eval.metrics.ClassScores;
import dev.graft.eval.metrics.ConfusionMatrix;
import dev.graft.eval.metrics.MetricSet;
import dev.graft.eval.metrics.ValuePrediction;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.peft.methods.Lokr;
import dev.graft.peft.methods.RankBudget;
import dev.graft.train.schedules.Schedule;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** Numbers without a model: learning rate schedules, rank budgets, losses, metrics, torch's random numbers. */
final class MathsParity implements Group {
    @Override
    public String name() {
        return "maths";
    }

    private static final Set<String> CLASSIFICATION = Set.of(
            "labels",
            "predictions",
            "classes",
            "accuracy",
            "matthews",
            "confusion",
            "macro",
            "micro",
            "weighted",
            "binary");

    private static final Set<String> REGRESSION = Set.of("x", "y", "pearson", "spearman", "mse", "mae", "r2");

    private interface Item {
        void run(Check check, JsonNode stored);
    }

    @Override
    public void run(Path tree, Cases cases) {
        for (Path file : jsonFiles(tree)) {
            String stem = Group.stem(file);
            JsonNode content = Json.read(file);
            for (Map.Entry<String, JsonNode> factor : content.path("factors").properties()) {
                cases.run(
                        "maths/" + stem + "/factors/" + factor.getKey(),
                        check -> factors(check, Integer.parseInt(factor.getKey()), factor.getValue()));
            }
            for (Map.Entry<String, JsonNode> section : content.properties()) {
                if (section.getValue().isArray()) {
                    Item item = item(stem, section.getKey());
                    int index = 0;
                    for (JsonNode one : section.getValue()) {
                        String id = "maths/" + stem + "/" + section.getKey() + "/" + index++;
                        cases.run(id, check -> item.run(check, one));
                        for (String name : missing(stem, one)) {
                            cases.run(id + "/" + name, check -> {
                                throw new NotCovered("nothing computes " + name);
                            });
                        }
                    }
                }
            }
        }
    }

    private static Item item(String file, String section) {
        return switch (file + "/" + section) {
            case "schedules/cases" -> MathsParity::schedule;
            case "losses/label_smoothing" -> LossParity::smoothed;
            case "losses/binary" -> LossParity::binary;
            case "adalora_budget/cases" -> MathsParity::budget;
            case "classification/cases" -> MathsParity::classification;
            case "classification/regression" -> MathsParity::regression;
            case "torch_random/randperm" -> RandomParity::permutation;
            case "torch_random/rand" -> RandomParity::uniform;
            case "torch_random/randn" -> RandomParity::normal;
            case "torch_random/kaiming_uniform" -> RandomParity::kaiming;
            default ->
                (check, stored) -> {
                    throw new NotCovered("nothing computes " + file + " (" + section + ")");
                };
        };
    }

    /** Scores of a row that there is no metric for. */
    private static List<String> missing(String file, JsonNode one) {
        Set<String> known = one.has("confusion") ? CLASSIFICATION : one.has("pearson") ? REGRESSION : Set.of();
        return !file.equals("classification") || known.isEmpty()
                ? List.of()
                : one.propertyNames().stream()
                        .filter(name -> !known.contains(name))
                        .toList();
    }

    /** The two factors of each size with one wanted factor. */
    private static void factors(Check check, int wanted, JsonNode sizes) {
        for (JsonNode size : sizes) {
            long[] found = Lokr.factors(size.get(0).longValue(), wanted);
            check.same(
                    "the factors of " + size.get(0),
                    List.of(found[0], found[1]),
                    List.of(size.get(1).longValue(), size.get(2).longValue()));
        }
    }

    private static void schedule(Check check, JsonNode stored) {
        Map<String, Object> options = new LinkedHashMap<>();
        stored.path("options")
                .properties()
                .forEach(
                        option -> options.put(option.getKey(), option.getValue().numberValue()));
        String name = stored.path("name").asString();
        double rate = stored.path("base_lr").doubleValue();
        Schedule.Span span = new Schedule.Span(
                stored.path("warmup_steps").intValue(),
                stored.path("total_steps").intValue(),
                rate);
        Schedule schedule;
        try {
            schedule = Schedule.named(name, span, options);
        } catch (InputException unknown) {
            throw new NotCovered(String.valueOf(unknown.getMessage()));
        }
        JsonNode rates = stored.path("lr_used_at_step");
        for (int step = 0; step < rates.size(); step++) {
            check.number(
                    "learning rate of step " + step,
                    rate * schedule.factor(step),
                    rates.get(step).doubleValue(),
                    Tolerance.DOUBLE);
        }
    }

    private static void budget(Check check, JsonNode stored) {
        long modules = stored.path("modules").longValue();
        RankBudget budget = new RankBudget(
                modules * stored.path("init_r").longValue(),
                modules * stored.path("target_r").longValue(),
                stored.path("tinit").longValue(),
                stored.path("tfinal").longValue(),
                stored.path("deltaT").longValue(),
                stored.path("total_step").longValue());
        for (int step = 0; step < stored.path("budget").size(); step++) {
            check.same(
                    "budget of step " + step,
                    budget.at(step),
                    stored.path("budget").get(step).longValue());
            check.same(
                    "whether step " + step + " prunes",
                    budget.prunes(step),
                    stored.path("mask").get(step).booleanValue());
        }
    }

    private static void classification(Check check, JsonNode stored) {
        int classes = stored.path("classes").intValue();
        ConfusionMatrix confusion = new ConfusionMatrix(classes);
        Accuracy accuracy = new Accuracy();
        for (int i = 0; i < stored.path("labels").size(); i++) {
            ClassPrediction row = new ClassPrediction(
                    stored.path("labels").get(i).intValue(),
                    stored.path("predictions").get(i).intValue());
            confusion.add(row);
            accuracy.update(row);
        }
        number(check, "accuracy", accuracy.value(), stored.path("accuracy"));
        number(check, "matthews", confusion.matthews(), stored.path("matthews"));
        for (int i = 0; i < classes; i++) {
            for (int j = 0; j < classes; j++) {
                check.same(
                        "confusion " + i + " " + j,
                        confusion.count(i, j),
                        stored.path("confusion").get(i).get(j).longValue());
            }
        }
        for (Average average : Average.values()) {
            JsonNode expected = stored.path(average.name().toLowerCase(Locale.ROOT));
            if (!expected.isMissingNode()) {
                ClassScores scores = confusion.scores(average);
                number(check, average + " precision", scores.precision(), expected.path("precision"));
                number(check, average + " recall", scores.recall(), expected.path("recall"));
                number(check, average + " f1", scores.f1(), expected.path("f1"));
            }
        }
    }

    private static void regression(Check check, JsonNode stored) {
        MetricSet<ValuePrediction> metrics = MetricSet.regression();
        for (int i = 0; i < stored.path("x").size(); i++) {
            metrics.update(new ValuePrediction(
                    stored.path("y").get(i).doubleValue(),
                    stored.path("x").get(i).doubleValue()));
        }
        metrics.values().forEach((name, value) -> {
            if (stored.has(name)) {
                number(check, name, value, stored.path(name));
            }
        });
    }

    private static void number(Check check, String what, double got, JsonNode expected) {
        check.number(what, got, expected.isNull() ? Double.NaN : expected.doubleValue(), Tolerance.DOUBLE);
    }
}
