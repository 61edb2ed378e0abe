package dev.graft.run.config;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.peft.Methods;
import dev.graft.run.config.YamlValue.Mapping;
import dev.graft.run.config.YamlValue.Scalar;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Reads the config of a run from its layers. Flags of the command line take precedence over {@code key=value} overrides, these over the
 * recipe file, and that over the defaults. Unknown names, values of a wrong type, and the same option twice in one layer are errors.
 */
public final class ConfigReader {
    private final Consumer<String> notices;
    private final Map<String, GivenOption> settings = new LinkedHashMap<>();
    private String method = ConfigKeys.METHOD.declaration().byDefault();

    private ConfigReader(Consumer<String> notices) {
        this.notices = notices;
    }

    /**
     * Reads the config of a run.
     *
     * @param recipe a YAML file; null for none
     * @param overrides options in the form {@code key=value}
     * @param flags values by the names of options, without leading dashes
     * @param notices receives notices about accepted names of other trainers
     * @throws InputException about the first unknown option or wrong value
     */
    public static RunConfig read(
            @Nullable Path recipe, List<String> overrides, Map<String, String> flags, Consumer<String> notices) {
        List<List<GivenOption>> layers = layers(recipe, overrides);
        layers.add(flags.entrySet().stream()
                .map(flag -> setting(name(flag.getKey()), flag.getValue(), "--" + flag.getKey()))
                .toList());
        return new ConfigReader(notices).read(layers);
    }

    /** The option that a flag gives: a method keeps the dashes of its name. */
    private static String name(String flag) {
        int dot = flag.indexOf('.');
        String owner = flag.substring(0, Math.max(0, dot));
        boolean method = Methods.all().stream().anyMatch(type -> type.name().equals(owner));
        return method ? owner + flag.substring(dot).replace('-', '_') : flag.replace('-', '_');
    }

    private static List<List<GivenOption>> layers(@Nullable Path recipe, List<String> overrides) {
        List<List<GivenOption>> layers = new ArrayList<>();
        if (recipe != null) {
            layers.add(file(recipe));
        }
        layers.add(overrides.stream().map(ConfigReader::override).toList());
        return layers;
    }

    /**
     * Reads the config of a comparison: the options of {@link CompareConfig}, those of a run, which apply to all methods, and those of
     * methods.
     *
     * @param recipe a YAML file; null for none
     * @param overrides options in the form {@code key=value}
     * @param notices receives notices about accepted names of other trainers
     * @throws InputException about the first unknown option or wrong value
     */
    public static CompareConfig comparison(@Nullable Path recipe, List<String> overrides, Consumer<String> notices) {
        Map<String, GivenOption> own = new LinkedHashMap<>();
        List<List<GivenOption>> shared = new ArrayList<>();
        for (List<GivenOption> layer : layers(recipe, overrides)) {
            layer.stream()
                    .filter(setting -> CompareConfig.KEYS.containsKey(setting.name()))
                    .forEach(setting -> own.put(setting.name(), setting));
            List<GivenOption> others = layer.stream()
                    .filter(setting -> !CompareConfig.KEYS.containsKey(setting.name()))
                    .toList();
            others.forEach(CompareConfig::refuse);
            shared.add(others);
        }
        List<@Nullable Object> values = new ArrayList<>();
        CompareConfig.KEYS.forEach((name, key) -> {
            GivenOption setting = own.get(name);
            values.add(setting == null ? key.defaultValue() : key.read(setting.value(), setting.origin()));
        });
        return CompareConfig.of(values, method -> run(shared, method, notices));
    }

    /** The run of one of several methods: the options of the others mean nothing to it. */
    private static RunConfig run(List<List<GivenOption>> layers, String method, Consumer<String> notices) {
        List<List<GivenOption>> own = new ArrayList<>();
        for (List<GivenOption> layer : layers) {
            own.add(layer.stream()
                    .filter(setting -> !CompareConfig.belongsToAnother(setting.name(), method))
                    .toList());
        }
        own.add(List.of(setting("method", method, "methods")));
        return new ConfigReader(notices).read(own);
    }

    /**
     * Reads the options of a method, with the defaults of a training run.
     *
     * @param compat selects Graft's or PEFT's defaults
     * @param given values by the names of the options without the method's prefix
     * @param notices receives notices about accepted names of other trainers
     * @throws InputException about the first unknown option or wrong value
     */
    public static Map<String, Object> methodOptions(
            String method, RunConfig.Compat compat, Map<String, String> given, Consumer<String> notices) {
        ConfigReader reader = new ConfigReader(notices);
        String whose = compat.name().toLowerCase(Locale.ROOT);
        reader.take(List.of(
                List.of(setting("method", method, "--method"), setting("compat", whose, "--compat")),
                given.entrySet().stream()
                        .map(option -> setting(method + "." + option.getKey(), option.getValue(), option.getKey()))
                        .toList()));
        return reader.methodOptions();
    }

    /** Returns whether a word of the command line is an override rather than a file. */
    public static boolean isOverride(String word) {
        return word.matches("(?s)[A-Za-z_][\\w.-]*=.*");
    }

    private static List<GivenOption> file(Path file) {
        String text;
        try {
            text = Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new InputException(file + " is not UTF-8 text, expected a YAML file", e);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
        YamlValue document = Yaml.read(file.toString(), text.startsWith("\uFEFF") ? text.substring(1) : text);
        if (document instanceof Scalar scalar && scalar.resolve() == null) {
            return List.of();
        }
        if (!(document instanceof Mapping mapping)) {
            throw new InputException(file + ":" + document.line() + ": holds " + document.shown()
                    + ", expected keys such as `model: …`");
        }
        List<GivenOption> settings = new ArrayList<>();
        mapping.entries().forEach((name, entry) -> {
            ConfigKey key = ConfigKeys.RUN.get(name);
            boolean options = key != null && key.type() instanceof ValueType.Options;
            if (entry.value() instanceof Mapping group && !options) {
                group.entries()
                        .forEach((inner, innerEntry) -> settings.add(new GivenOption(
                                name + "." + inner,
                                name.equals("data") ? rows(file, innerEntry.value()) : innerEntry.value(),
                                file + ":" + innerEntry.keyLine() + ": " + name + "." + inner)));
            } else {
                settings.add(new GivenOption(name, entry.value(), file + ":" + entry.keyLine() + ": " + name));
            }
        });
        return settings;
    }

    private static YamlValue rows(Path recipe, YamlValue value) {
        if (!(value instanceof Scalar scalar)) {
            return value;
        }
        String found = Recipes.file(recipe, scalar.text());
        return found.equals(scalar.text()) ? scalar : new Scalar(found, true, scalar.line());
    }

    private static GivenOption override(String word) {
        int equals = word.indexOf('=');
        String name = word.substring(0, equals);
        return setting(name, word.substring(equals + 1), name);
    }

    private static GivenOption setting(String name, String value, String origin) {
        ConfigKey key = ConfigKeys.RUN.get(name);
        boolean text = key != null && key.type() instanceof ValueType.Text;
        return new GivenOption(name, text ? new Scalar(value, false, 1) : Yaml.inline(origin, value), origin);
    }

    private RunConfig read(List<List<GivenOption>> layers) {
        take(layers);
        return config();
    }

    private void take(List<List<GivenOption>> layers) {
        List<GivenOption> before = List.of();
        for (List<GivenOption> layer : layers) {
            for (GivenOption setting : layer) {
                GivenOption canonical = canonical(setting, false);
                if (canonical != null && canonical.name().equals("method")) {
                    method = (String) ConfigKeys.METHOD.read(canonical.value(), canonical.origin());
                    before = layers.subList(0, layers.indexOf(layer)).stream()
                            .flatMap(List::stream)
                            .toList();
                }
            }
        }
        // A recipe's options of its method mean nothing to another one that takes its place.
        List<GivenOption> another = before.stream()
                .filter(setting -> CompareConfig.belongsToAnother(setting.name(), method))
                .toList();
        if (!another.isEmpty()) {
            notices.accept("method is " + method + ", so these are left out: "
                    + another.stream().map(GivenOption::origin).collect(Collectors.joining(", ")));
        }
        for (List<GivenOption> layer : layers) {
            Map<String, GivenOption> given = new LinkedHashMap<>();
            for (GivenOption setting : layer) {
                if (another.contains(setting)) {
                    continue;
                }
                GivenOption canonical = canonical(setting, true);
                if (canonical == null) {
                    continue;
                }
                if (leftOpen(canonical)) {
                    settings.remove(canonical.name());
                    continue;
                }
                GivenOption earlier = given.put(canonical.name(), canonical);
                if (earlier != null) {
                    String also = earlier.origin().equals(canonical.origin()) ? "" : ", also as " + earlier.origin();
                    throw new InputException(canonical.origin() + ": " + canonical.name() + " is given twice" + also);
                }
            }
            settings.putAll(given);
        }
    }

    /** A key without a value in YAML stands for the default, as in a resolved config. */
    private static boolean leftOpen(GivenOption setting) {
        ConfigKey key = ConfigKeys.RUN.get(setting.name());
        return key != null && key.isOptional() && setting.value().resolve() == null;
    }

    /** The setting under its name here, or null where it says what happens anyway. */
    private @Nullable GivenOption canonical(GivenOption setting, boolean tell) {
        if (ConfigKeys.RUN.containsKey(setting.name())) {
            return setting;
        }
        if (setting.name().startsWith(method + ".")) {
            return option(setting, tell);
        }
        String alias = ConfigKeys.ALIASES.get(setting.name());
        if (alias != null) {
            return renamed(setting, alias, setting.value(), tell);
        }
        OtherTrainerOptions.Meaning meaning = OtherTrainerOptions.meaning(setting.name(), setting.value());
        if (meaning instanceof OtherTrainerOptions.Renamed same) {
            return renamed(
                    setting,
                    same.name(),
                    new Scalar(same.value(), false, setting.value().line()),
                    tell);
        } else if (meaning instanceof OtherTrainerOptions.Ignored) {
            return null;
        } else if (meaning instanceof OtherTrainerOptions.Rejected refused && tell) {
            throw new InputException(setting.origin() + " is " + setting.value().shown()
                    + ", which Graft does not have: " + refused.advice());
        }
        return tell ? unknown(setting) : null;
    }

    private GivenOption option(GivenOption setting, boolean tell) {
        String name = setting.name().substring(method.length() + 1);
        String tail = name.startsWith(method + "_") ? name.substring(method.length() + 1) : name;
        // lora.lora_alpha is lora.alpha, but lora.lora_bias and lora.bias are two options.
        boolean another = ConfigKeys.LOW_RANK_METHODS.contains(method) && !ConfigKeys.LOW_RANK.containsKey(tail);
        String bare = another ? name : tail;
        boolean lowRank = ConfigKeys.LOW_RANK_METHODS.contains(method) && !ConfigKeys.LOW_RANK.containsKey(bare);
        String alias = lowRank ? ConfigKeys.ALIASES.get(bare) : null;
        if (alias != null && alias.startsWith(".")) {
            return renamed(setting, alias, setting.value(), tell);
        }
        return setting.named(method + "." + bare, setting.value());
    }

    private GivenOption renamed(GivenOption setting, String canonical, YamlValue value, boolean tell) {
        String name = canonical.startsWith(".") ? method + canonical : canonical;
        if (tell) {
            String same = value.equals(setting.value()) ? "" : ": " + value.shown();
            notices.accept(setting.origin() + " is called " + name + same + " here");
        }
        return setting.named(name, value);
    }

    private GivenOption unknown(GivenOption setting) {
        String name = setting.name();
        String owner = name.contains(".") ? name.substring(0, name.indexOf('.')) : "";
        String advice = ConfigKeys.LOW_RANK_METHODS.contains(owner)
                ? "; it belongs to method " + owner + ", but method is " + method
                : NearestName.find(name, ConfigKeys.candidates(method))
                        .map(nearest -> "; did you mean " + nearest + "?")
                        .orElse("; `graft config-schema` lists all, options of the method are written " + method
                                + ".…");
        throw new InputException(setting.origin() + ": unknown option" + advice);
    }

    private RunConfig config() {
        List<Object> sections = new ArrayList<>();
        for (RecordComponent section : RunConfig.class.getRecordComponents()) {
            ConfigSection topic = section.getAnnotation(ConfigSection.class);
            sections.add(topic == null ? methodOptions() : section(section.getType(), topic));
        }
        return (RunConfig) construct(RunConfig.class, sections);
    }

    private Object section(Class<?> type, ConfigSection topic) {
        List<@Nullable Object> values = new ArrayList<>();
        for (RecordComponent component : type.getRecordComponents()) {
            ConfigKey key = ConfigKey.of(topic.prefix(), topic.value(), component);
            GivenOption setting = settings.get(key.name());
            if (setting == null && key.declaration().required()) {
                throw new InputException(key.name() + " is missing; give " + key.flag() + ", for example " + key.flag()
                        + " " + key.declaration().example());
            }
            values.add(setting == null ? key.defaultValue() : key.read(setting.value(), setting.origin()));
        }
        return construct(type, values);
    }

    private Map<String, Object> methodOptions() {
        boolean lowRank = ConfigKeys.LOW_RANK_METHODS.contains(method);
        GivenOption whose = settings.get("compat");
        GivenOption initial = settings.get("init_adapter");
        boolean fresh = initial == null || initial.value().resolve() == null;
        boolean own = fresh
                && (whose == null || ConfigKeys.COMPAT.read(whose.value(), whose.origin()) == RunConfig.Compat.GRAFT);
        Map<String, Object> options = new LinkedHashMap<>();
        if (lowRank && own) {
            ConfigKeys.LOW_RANK.forEach((name, key) -> {
                Object byDefault = key.defaultValue();
                if (byDefault != null) {
                    options.put(name, byDefault);
                }
            });
        }
        settings.forEach((name, setting) -> {
            if (name.startsWith(method + ".")) {
                String option = name.substring(method.length() + 1);
                ConfigKey key = lowRank ? ConfigKeys.LOW_RANK.get(option) : null;
                Object value = key == null ? setting.value().resolve() : key.read(setting.value(), setting.origin());
                if (value == null) {
                    options.remove(option);
                } else {
                    options.put(option, value);
                }
            }
        });
        if (lowRank && own) {
            if (options.get("r") instanceof Integer rank) {
                options.putIfAbsent("alpha", 2.0 * rank);
            }
        }
        return options;
    }

    private static Object construct(Class<?> type, List<@Nullable Object> values) {
        try {
            Class<?>[] types = Arrays.stream(type.getRecordComponents())
                    .map(RecordComponent::getType)
                    .toArray(Class<?>[]::new);
            return type.getDeclaredConstructor(types).newInstance(values.toArray());
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof InputException input) {
                throw input;
            }
            throw new IllegalStateException(e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
