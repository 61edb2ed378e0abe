package dev.graft.run.config;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.run.config.YamlValue.Mapping;
import dev.graft.run.config.YamlValue.Scalar;
import dev.graft.run.config.YamlValue.Sequence;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * A search over settings of a run: every combination of lists of values, or a number of random draws.
 *
 * <pre>
 * search: random
 * runs: 20
 * settings:
 *   learning_rate: {min: 1e-5, max: 1e-3, scale: log}
 *   lora.r: [4, 8, 16]
 * </pre>
 *
 * @param parallel the number of runs in parallel
 * @param settings the values of each run by the names of options, in the order of the file
 */
public record Sweep(int parallel, List<Map<String, String>> settings) {
    private static final Set<String> KEYS = Set.of("search", "runs", "seed", "parallel", "settings");
    private static final int MOST_RUNS = 1000;

    /** Values of one setting. */
    private sealed interface Axis {
        String draw(SplittableRandom random);
    }

    private record Listed(List<String> values) implements Axis {
        @Override
        public String draw(SplittableRandom random) {
            return values.get(random.nextInt(values.size()));
        }
    }

    private record Range(double min, double max, boolean log, boolean whole) implements Axis {
        @Override
        public String draw(SplittableRandom random) {
            double share = random.nextDouble();
            double value = log ? min * Math.pow(max / min, share) : min + (max - min) * share;
            return whole ? Long.toString(Math.round(value)) : String.format(Locale.ROOT, "%.3e", value);
        }
    }

    /**
     * Reads a sweep file.
     *
     * @throws InputException naming the line of the first error
     */
    public static Sweep read(Path file) {
        String text;
        try {
            text = Files.readString(file);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
        if (!(Yaml.read(file.toString(), text) instanceof Mapping mapping)) {
            throw new InputException(file + " holds no mapping, expected `settings:` with lists of values");
        }
        return new Reader(file, mapping).sweep();
    }

    private record Reader(Path file, Mapping mapping) {
        Sweep sweep() {
            mapping.entries().forEach((name, entry) -> {
                if (!KEYS.contains(name)) {
                    throw wrong(
                            entry.keyLine(),
                            name + " is no key of a sweep; they are search, runs, seed, parallel"
                                    + " and settings, and options of a run belong under settings");
                }
            });
            Map<String, Axis> axes = new LinkedHashMap<>();
            Mapping.Entry settings = mapping.entries().get("settings");
            if (settings == null || !(settings.value() instanceof Mapping given)) {
                throw wrong(1, "settings is missing; write for example settings: {learning_rate: [1e-4, 1e-3]}");
            }
            axes("", given, axes);
            return new Sweep(number("parallel", 1, 64), runs(axes));
        }

        private List<Map<String, String>> runs(Map<String, Axis> axes) {
            return switch (word("search", "grid")) {
                case "grid" -> grid(axes);
                case "random" -> random(axes);
                default -> throw wrong(1, "search is neither grid nor random");
            };
        }

        private List<Map<String, String>> grid(Map<String, Axis> axes) {
            for (String name : List.of("runs", "seed")) {
                if (mapping.entries().containsKey(name)) {
                    throw wrong(1, name + " belongs to a random search; a grid has every combination");
                }
            }
            List<Map<String, String>> runs = new ArrayList<>(List.of(Map.of()));
            axes.forEach((name, axis) -> {
                if (!(axis instanceof Listed listed)) {
                    throw wrong(1, name + " is a range, which only a random search can draw from; list its values");
                }
                List<Map<String, String>> more = new ArrayList<>();
                for (Map<String, String> run : runs) {
                    for (String value : listed.values) {
                        Map<String, String> next = new LinkedHashMap<>(run);
                        next.put(name, value);
                        more.add(next);
                    }
                }
                if (more.size() > MOST_RUNS) {
                    throw wrong(
                            1, "the grid has more than " + MOST_RUNS + " runs; list fewer values, or search random");
                }
                runs.clear();
                runs.addAll(more);
            });
            return List.copyOf(runs);
        }

        private List<Map<String, String>> random(Map<String, Axis> axes) {
            SplittableRandom random = new SplittableRandom(number("seed", 42, Integer.MAX_VALUE));
            List<Map<String, String>> runs = new ArrayList<>();
            for (int i = 0; i < number("runs", 10, MOST_RUNS); i++) {
                Map<String, String> run = new LinkedHashMap<>();
                axes.forEach((name, axis) -> run.put(name, axis.draw(random)));
                runs.add(run);
            }
            return List.copyOf(runs);
        }

        private void axes(String prefix, Mapping given, Map<String, Axis> axes) {
            given.entries().forEach((key, entry) -> {
                String name = prefix + key;
                if (entry.value() instanceof Sequence list && !list.items().isEmpty()) {
                    axes.put(
                            name,
                            new Listed(list.items().stream()
                                    .map(item -> item instanceof Scalar scalar
                                            ? scalar.text()
                                            : YamlText.inline(item.resolve()))
                                    .toList()));
                } else if (entry.value() instanceof Mapping inner
                        && inner.entries().containsKey("min")) {
                    axes.put(name, range(name, inner));
                } else if (entry.value() instanceof Mapping inner) {
                    axes(name + ".", inner, axes);
                } else {
                    throw wrong(
                            entry.keyLine(),
                            name + " is " + entry.value().shown()
                                    + ", expected a list of values, or a range such as {min: 1e-5, max: 1e-3, scale:"
                                    + " log}");
                }
            });
        }

        private Range range(String name, Mapping range) {
            Object min = range.resolve().get("min");
            Object max = range.resolve().get("max");
            Object scale = range.resolve().getOrDefault("scale", "linear");
            boolean log = "log".equals(scale);
            boolean known =
                    Set.of("min", "max", "scale").containsAll(range.entries().keySet());
            if (!known
                    || !(min instanceof Number least)
                    || !(max instanceof Number most)
                    || !(least.doubleValue() < most.doubleValue())
                    || log && least.doubleValue() <= 0
                    || !log && !"linear".equals(scale)) {
                throw wrong(
                        range.line(),
                        name + " is no range; expected {min: …, max: …}, with scale: log where both"
                                + " are above 0 and each power of ten counts alike");
            }
            boolean whole = min instanceof Long && max instanceof Long;
            return new Range(least.doubleValue(), most.doubleValue(), log, whole);
        }

        private String word(String name, String otherwise) {
            Mapping.Entry entry = mapping.entries().get(name);
            return entry == null ? otherwise : String.valueOf(entry.value().resolve());
        }

        private int number(String name, int otherwise, int most) {
            Mapping.Entry entry = mapping.entries().get(name);
            Object value =
                    entry == null ? Long.valueOf(otherwise) : entry.value().resolve();
            if (!(value instanceof Long whole) || whole < 1 || whole > most) {
                throw wrong(1, name + " is " + value + ", expected a whole number of 1 to " + most);
            }
            return whole.intValue();
        }

        private InputException wrong(int line, String what) {
            return new InputException(file + ":" + line + ": " + what);
        }
    }
}
