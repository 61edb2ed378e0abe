package dev.graft.cli.config;

import dev.graft.cli.config.YamlValue.Mapping;
import dev.graft.cli.config.YamlValue.Scalar;
import dev.graft.formats.InputException;
import dev.graft.peft.Methods;
import java.io.IOException;
import java.io.UncheckedIOException;
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
 * Puts a run together from its layers: flags of the command line win over {@code key=value} overrides, these over the recipe file,
 * that over the defaults. Unknown names, values of a wrong type, and the same option twice in one layer are refused.
 */
public final class ConfigReader {
    private final Consumer<String> notices;
    private final Map<String, Setting> settings = new LinkedHashMap<>();
    private String method = Keys.METHOD.declaration().byDefault();

    private ConfigReader(Consumer<String> notices) {
        this.notices = notices;
    }

    /**
     * The run that these layers describe.
     *
     * @param recipe a YAML file, or null for none
     * @param overrides of the form {@code key=value}
     * @param flags values by the names of their options, without the dashes in front
     * @param notices is told about names that are accepted but have another one here
     * @throws InputException about the first option that can't be understood
     */
    public static RunConfig read(
            @Nullable Path recipe, List<String> overrides, Map<String, String> flags, Consumer<String> notices) {
        List<List<Setting>> layers = layers(recipe, overrides);
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

    private static List<List<Setting>> layers(@Nullable Path recipe, List<String> overrides) {
        List<List<Setting>> layers = new ArrayList<>();
        if (recipe != null) {
            layers.add(file(recipe));
        }
        layers.add(overrides.stream().map(ConfigReader::override).toList());
        return layers;
    }

    /**
     * A comparison of methods: what {@link CompareConfig} declares, and beside it the options of a run, which hold for all methods, and those
     * of methods.
     *
     * @param recipe a YAML file, or null for none
     * @throws InputException about the first option that can't be understood
     */
    public static CompareConfig comparison(@Nullable Path recipe, List<String> overrides, Consumer<String> notices) {
        Map<String, Setting> own = new LinkedHashMap<>();
        List<List<Setting>> shared = new ArrayList<>();
        for (List<Setting> layer : layers(recipe, overrides)) {
            layer.stream()
                    .filter(setting -> CompareConfig.KEYS.containsKey(setting.name()))
                    .forEach(setting -> own.put(setting.name(), setting));
            List<Setting> others = layer.stream()
                    .filter(setting -> !CompareConfig.KEYS.containsKey(setting.name()))
                    .toList();
            others.forEach(CompareConfig::refuse);
            shared.add(others);
        }
        List<@Nullable Object> values = new ArrayList<>();
        CompareConfig.KEYS.forEach((name, key) -> {
            Setting setting = own.get(name);
            values.add(setting == null ? key.defaultValue() : key.read(setting.value(), setting.origin()));
        });
        return CompareConfig.of(values, method -> run(shared, method, notices));
    }

    /** The run of one of several methods: the options of the others mean nothing to it. */
    private static RunConfig run(List<List<Setting>> layers, String method, Consumer<String> notices) {
        List<List<Setting>> own = new ArrayList<>();
        for (List<Setting> layer : layers) {
            own.add(layer.stream()
                    .filter(setting -> !CompareConfig.belongsToAnother(setting.name(), method))
                    .toList());
        }
        own.add(List.of(setting("method", method, "methods")));
        return new ConfigReader(notices).read(own);
    }

    /**
     * The options of a method, with the defaults that a training run has.
     *
     * @param compat whose defaults those are
     * @param given values by the names of the options without the method's, as on the command line
     * @throws InputException about the first option that can't be understood
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

    /** Whether a word of the command line is an override rather than a file. */
    public static boolean isOverride(String word) {
        return word.matches("(?s)[A-Za-z_][\\w.-]*=.*");
    }

    private static List<Setting> file(Path file) {
        String text;
        try {
            text = Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new InputException(file + " is not UTF-8 text, expected a YAML file", e);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file + ": " + e.getMessage(), e);
        }
        YamlValue document = Yaml.read(file.toString(), text.startsWith("\uFEFF") ? text.substring(1) : text);
        if (document instanceof Scalar scalar && scalar.resolve() == null) {
            return List.of();
        }
        if (!(document instanceof Mapping mapping)) {
            throw new InputException(file + ":" + document.line() + ": holds " + document.shown()
                    + ", expected keys such as `model: …`");
        }
        List<Setting> settings = new ArrayList<>();
        mapping.entries().forEach((name, entry) -> {
            ConfigKey key = Keys.RUN.get(name);
            boolean options = key != null && key.type() instanceof ValueType.Options;
            if (entry.value() instanceof Mapping group && !options) {
                group.entries()
                        .forEach((inner, innerEntry) -> settings.add(new Setting(
                                name + "." + inner,
                                innerEntry.value(),
                                file + ":" + innerEntry.keyLine() + ": " + name + "." + inner)));
            } else {
                settings.add(new Setting(name, entry.value(), file + ":" + entry.keyLine() + ": " + name));
            }
        });
        return settings;
    }

    private static Setting override(String word) {
        int equals = word.indexOf('=');
        String name = word.substring(0, equals);
        return setting(name, word.substring(equals + 1), name);
    }

    private static Setting setting(String name, String value, String origin) {
        ConfigKey key = Keys.RUN.get(name);
        boolean text = key != null && key.type() instanceof ValueType.Text;
        return new Setting(name, text ? new Scalar(value, false, 1) : Yaml.inline(origin, value), origin);
    }

    private RunConfig read(List<List<Setting>> layers) {
        take(layers);
        return config();
    }

    private void take(List<List<Setting>> layers) {
        List<Setting> before = List.of();
        for (List<Setting> layer : layers) {
            for (Setting setting : layer) {
                Setting canonical = canonical(setting, false);
                if (canonical != null && canonical.name().equals("method")) {
                    method = (String) Keys.METHOD.read(canonical.value(), canonical.origin());
                    before = layers.subList(0, layers.indexOf(layer)).stream()
                            .flatMap(List::stream)
                            .toList();
                }
            }
        }
        // A recipe's options of its method mean nothing to another one that takes its place.
        List<Setting> another = before.stream()
                .filter(setting -> CompareConfig.belongsToAnother(setting.name(), method))
                .toList();
        if (!another.isEmpty()) {
            notices.accept("method is " + method + ", so these are left out: "
                    + another.stream().map(Setting::origin).collect(Collectors.joining(", ")));
        }
        for (List<Setting> layer : layers) {
            Map<String, Setting> given = new LinkedHashMap<>();
            for (Setting setting : layer) {
                if (another.contains(setting)) {
                    continue;
                }
                Setting canonical = canonical(setting, true);
                if (canonical == null) {
                    continue;
                }
                if (leftOpen(canonical)) {
                    settings.remove(canonical.name());
                    continue;
                }
                Setting earlier = given.put(canonical.name(), canonical);
                if (earlier != null) {
                    String also = earlier.origin().equals(canonical.origin()) ? "" : ", also as " + earlier.origin();
                    throw new InputException(canonical.origin() + ": " + canonical.name() + " is given twice" + also);
                }
            }
            settings.putAll(given);
        }
    }

    /** A key without a value in YAML stands for the default, as in a resolved config. */
    private static boolean leftOpen(Setting setting) {
        ConfigKey key = Keys.RUN.get(setting.name());
        return key != null && key.isOptional() && setting.value().resolve() == null;
    }

    /** The setting under its name here, or null where it says what happens anyway. */
    private @Nullable Setting canonical(Setting setting, boolean tell) {
        if (Keys.RUN.containsKey(setting.name())) {
            return setting;
        }
        if (setting.name().startsWith(method + ".")) {
            return option(setting, tell);
        }
        String alias = Keys.ALIASES.get(setting.name());
        if (alias != null) {
            return renamed(setting, alias, setting.value(), tell);
        }
        PeerNames.Meaning meaning = PeerNames.meaning(setting.name(), setting.value());
        if (meaning instanceof PeerNames.Same same) {
            return renamed(
                    setting,
                    same.name(),
                    new Scalar(same.value(), false, setting.value().line()),
                    tell);
        } else if (meaning instanceof PeerNames.Nothing) {
            return null;
        } else if (meaning instanceof PeerNames.Refused refused && tell) {
            throw new InputException(setting.origin() + " is " + setting.value().shown()
                    + ", which Graft does not have: " + refused.advice());
        }
        return tell ? unknown(setting) : null;
    }

    private Setting option(Setting setting, boolean tell) {
        String name = setting.name().substring(method.length() + 1);
        String tail = name.startsWith(method + "_") ? name.substring(method.length() + 1) : name;
        // lora.lora_alpha is lora.alpha, but lora.lora_bias and lora.bias are two options.
        boolean another = Keys.LOW_RANK_METHODS.contains(method) && !Keys.LOW_RANK.containsKey(tail);
        String bare = another ? name : tail;
        boolean lowRank = Keys.LOW_RANK_METHODS.contains(method) && !Keys.LOW_RANK.containsKey(bare);
        String alias = lowRank ? Keys.ALIASES.get(bare) : null;
        if (alias != null && alias.startsWith(".")) {
            return renamed(setting, alias, setting.value(), tell);
        }
        return setting.named(method + "." + bare, setting.value());
    }

    private Setting renamed(Setting setting, String canonical, YamlValue value, boolean tell) {
        String name = canonical.startsWith(".") ? method + canonical : canonical;
        if (tell) {
            String same = value.equals(setting.value()) ? "" : ": " + value.shown();
            notices.accept(setting.origin() + " is called " + name + same + " here");
        }
        return setting.named(name, value);
    }

    private Setting unknown(Setting setting) {
        String name = setting.name();
        String owner = name.contains(".") ? name.substring(0, name.indexOf('.')) : "";
        String advice = Keys.LOW_RANK_METHODS.contains(owner)
                ? "; it belongs to method " + owner + ", but method is " + method
                : NearestName.to(name, Keys.candidates(method))
                        .map(nearest -> "; did you mean " + nearest + "?")
                        .orElse("; `graft config-schema` lists all, options of the method are written " + method
                                + ".…");
        throw new InputException(setting.origin() + ": unknown option" + advice);
    }

    private RunConfig config() {
        List<Object> sections = new ArrayList<>();
        for (RecordComponent section : RunConfig.class.getRecordComponents()) {
            Topic topic = section.getAnnotation(Topic.class);
            sections.add(topic == null ? methodOptions() : section(section.getType(), topic));
        }
        return (RunConfig) construct(RunConfig.class, sections);
    }

    private Object section(Class<?> type, Topic topic) {
        List<@Nullable Object> values = new ArrayList<>();
        for (RecordComponent component : type.getRecordComponents()) {
            ConfigKey key = ConfigKey.of(topic.prefix(), topic.value(), component);
            Setting setting = settings.get(key.name());
            if (setting == null && key.declaration().required()) {
                throw new InputException(key.name() + " is missing; give " + key.flag() + ", for example " + key.flag()
                        + " " + key.declaration().example());
            }
            values.add(setting == null ? key.defaultValue() : key.read(setting.value(), setting.origin()));
        }
        return construct(type, values);
    }

    private Map<String, Object> methodOptions() {
        boolean lowRank = Keys.LOW_RANK_METHODS.contains(method);
        Setting whose = settings.get("compat");
        Setting initial = settings.get("init_adapter");
        boolean fresh = initial == null || initial.value().resolve() == null;
        boolean own =
                fresh && (whose == null || Keys.COMPAT.read(whose.value(), whose.origin()) == RunConfig.Compat.GRAFT);
        Map<String, Object> options = new LinkedHashMap<>();
        if (lowRank && own) {
            Keys.LOW_RANK.forEach((name, key) -> {
                Object byDefault = key.defaultValue();
                if (byDefault != null) {
                    options.put(name, byDefault);
                }
            });
        }
        settings.forEach((name, setting) -> {
            if (name.startsWith(method + ".")) {
                String option = name.substring(method.length() + 1);
                ConfigKey key = lowRank ? Keys.LOW_RANK.get(option) : null;
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
