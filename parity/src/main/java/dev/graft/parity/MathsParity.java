package dev.graft.parity;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.peft.methods.lora.RankBudget;
import dev.graft.peft.methods.update.Lokr;
import dev.graft.train.schedules.Schedule;
import dev.graft.train.schedules.ScheduleFactory;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** Numbers without a model: learning rate schedules, rank budgets, losses, metrics, quantisation, torch's and NumPy's random numbers. */
final class MathsParity implements CaseGroup {
    @Override
    public String name() {
        return "maths";
    }

    private interface Item {
        void run(CaseCheck check, JsonNode stored);

        /** An item that needs what its file says for all of them. */
        static Item within(JsonNode file, WithFile item) {
            return (check, stored) -> item.run(check, stored, file);
        }
    }

    private interface WithFile {
        void run(CaseCheck check, JsonNode stored, JsonNode file);
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path file : jsonFiles(tree)) {
            String stem = CaseGroup.stem(file);
            JsonNode content = Json.read(file);
            for (Map.Entry<String, JsonNode> factor : content.path("factors").properties()) {
                runner.run(
                        "maths/" + stem + "/factors/" + factor.getKey(),
                        check -> factors(check, Integer.parseInt(factor.getKey()), factor.getValue()));
            }
            if (content.has("levels")) {
                runner.run(
                        "maths/" + stem + "/levels", check -> QuantisationParity.levels(check, content.path("levels")));
            }
            for (Map.Entry<String, JsonNode> section : content.properties()) {
                if (section.getValue().path(0).isObject()) {
                    Item item = item(stem, section.getKey(), content);
                    int index = 0;
                    for (JsonNode one : section.getValue()) {
                        String id = "maths/" + stem + "/" + section.getKey() + "/" + index++;
                        runner.run(id, check -> item.run(check, one));
                    }
                }
            }
        }
    }

    private static Item item(String file, String section, JsonNode content) {
        return switch (file + "/" + section) {
            case "schedules/cases" -> MathsParity::schedule;
            case "losses/label_smoothing" -> LossParity::smoothed;
            case "losses/binary" -> LossParity::binary;
            case "losses/distillation" -> LossParity::distillation;
            case "adalora_budget/cases" -> MathsParity::budget;
            case "classification/cases" -> MetricsParity::classification;
            case "classification/probabilistic" -> MetricsParity::probabilistic;
            case "classification/regression" -> MetricsParity::regression;
            case "seqeval/cases" -> MetricsParity::tags;
            case "coco/cases" -> MetricsParity::boxes;
            case "more_metrics/rankings" -> MoreMetricsParity::ranking;
            case "more_metrics/segmentations" -> MoreMetricsParity::segmentation;
            case "more_metrics/transcripts" -> MoreMetricsParity::transcript;
            case "more_metrics/samples" -> MoreMetricsParity::samples;
            case "more_metrics/paired" -> MoreMetricsParity::paired;
            case "more_metrics/votes" -> MoreMetricsParity::votes;
            case "squad/cases" -> TextMetricsParity::squad;
            case "rouge/cases" -> TextMetricsParity::rouge;
            case "sacrebleu/cases" -> Item.within(content, TextMetricsParity::sacreBleu);
            case "quantisation/four_bit" -> QuantisationParity::fourBit;
            case "quantisation/eight_bit_blockwise" -> QuantisationParity::eightBit;
            case "quantisation/int8_rows" -> QuantisationParity::rows;
            case "torch_random/randperm" -> RandomParity::permutation;
            case "torch_random/rand" -> RandomParity::uniform;
            case "torch_random/randn" -> RandomParity::normal;
            case "torch_random/kaiming_uniform" -> RandomParity::kaiming;
            case "torch_random/numpy_pcg64" -> RandomParity::numpy;
            default ->
                (check, stored) -> {
                    throw new NotCoveredException("nothing computes " + file + " (" + section + ")");
                };
        };
    }

    /** The two factors of each size with one wanted factor. */
    private static void factors(CaseCheck check, int wanted, JsonNode sizes) {
        for (JsonNode size : sizes) {
            long[] found = Lokr.factors(size.get(0).longValue(), wanted);
            check.same(
                    "the factors of " + size.get(0),
                    List.of(found[0], found[1]),
                    List.of(size.get(1).longValue(), size.get(2).longValue()));
        }
    }

    private static void schedule(CaseCheck check, JsonNode stored) {
        Map<String, Object> options = new LinkedHashMap<>();
        stored.path("options")
                .properties()
                .forEach(
                        option -> options.put(option.getKey(), option.getValue().numberValue()));
        String name = stored.path("name").asString();
        double rate = stored.path("base_lr").doubleValue();
        Schedule.Timeline timeline = new Schedule.Timeline(
                stored.path("warmup_steps").intValue(),
                stored.path("total_steps").intValue(),
                rate);
        Schedule schedule;
        try {
            schedule = ScheduleFactory.create(name, timeline, options);
        } catch (InputException unknown) {
            throw new NotCoveredException(String.valueOf(unknown.getMessage()));
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

    private static void budget(CaseCheck check, JsonNode stored) {
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
}
