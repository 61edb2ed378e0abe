package dev.graft.peft.methods.mixture;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.lora.LoraMark;
import dev.graft.peft.methods.lora.LowRank;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Arrow (Ostapenko et al., 2024): several trained LoRAs, the experts. At each layer a token uses the experts whose updates change it most. With
 * vᵢ the first right singular vector of {@code ΔWᵢ = sᵢ Bᵢ Aᵢ},
 *
 * <pre>{@code
 * c = softmax(top_k |vᵢ · x| / τ)        y = W x + b + Σᵢ cᵢ ΔWᵢ x
 * }</pre>
 *
 * over the k experts with the largest {@code |vᵢ · x|}. With general experts it is GenKnowSub (Bagherifard et al., 2025): the mean of their A and
 * B is first subtracted from the A and B of the others, which keep only their special parts.
 *
 * <p>Trained: nothing. Files, in PEFT's layout: the {@code arrow_config} of a LoRA whose own {@code lora_A.weight} and {@code lora_B.weight} are
 * unused, and each expert as a LoRA in a folder of its own, {@code task_0} and so on, {@code gks_0} and so on for general ones. Doesn't merge.
 * Use it if adapters for several tasks exist and the task of a text is unknown.
 *
 * <pre>{@code
 * Adapter router = Adapter.create(base, Arrow.of(List.of(sql, chat, law)), 42);
 * router.save(Path.of("router"));
 * }</pre>
 *
 * @param router the settings of the router's own LoRA; its targets are those of the experts
 * @param experts the routed experts
 * @param general experts whose mean is subtracted from the others; empty for plain Arrow
 */
public record Arrow(ArrowConfig config, LoraConfig router, List<LoraExpert> experts, List<LoraExpert> general)
        implements Method {
    private static final String FIELD = "arrow_config";
    private static final LoraConfig UNTRAINED = LoraConfig.DEFAULT.withInit(LoraInits.of("false"));

    /** Three untrained experts, as placeholders. */
    public static final Arrow DEFAULT = new Arrow(
            ArrowConfig.DEFAULT, UNTRAINED, Collections.nCopies(3, new LoraExpert(UNTRAINED, Map.of())), List.of());

    public Arrow {
        experts = List.copyOf(experts);
        general = List.copyOf(general);
        if (config.topK() > experts.size()) {
            throw new InputException("top_k is " + config.topK() + ", expected at most the " + experts.size()
                    + " adapters that there are to choose among");
        }
    }

    /** Creates a router of trained LoRAs. Each token uses three, or all if there are fewer. */
    public static Arrow of(List<Adapter> experts) {
        return of(
                ArrowConfig.DEFAULT.withTopK(Math.min(ArrowConfig.DEFAULT.topK(), experts.size())), experts, List.of());
    }

    /** Creates a router of trained LoRAs minus the mean of general ones. */
    public static Arrow of(ArrowConfig config, List<Adapter> experts, List<Adapter> general) {
        experts.forEach(Arrow::refuseWholeModules);
        general.forEach(Arrow::refuseWholeModules);
        List<LoraExpert> known = experts.stream().map(LoraExpert::of).toList();
        return new Arrow(
                config,
                known.get(0).config(),
                known,
                general.stream().map(LoraExpert::of).toList());
    }

    private static void refuseWholeModules(Adapter expert) {
        for (String key : expert.parameters().keySet()) {
            if (expert.config().savesWhole(key)) {
                throw new InputException(
                        "arrow chooses among updates of layers, but an adapter trained and saved " + key
                                + " whole, of which a token can't choose one; take adapters without modules_to_save,"
                                + " or for a classifier X-LoRA, which trains one head for all: `graft train --method"
                                + " xlora`");
            }
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        List<Map<Site, List<Effect>>> tasks = parts(g, "task_", experts);
        List<Map<Site, List<Effect>>> known = parts(g, "gks_", general);
        Set<Site> acted = new LinkedHashSet<>(tasks.get(0).keySet());
        for (Linear site : g.linears(router.targets(), "arrow")) {
            // What PEFT makes for the router too, and nothing reads.
            int r = router.rank(site.name());
            g.frozen(site, "lora_A.weight", Initializer.ZEROS, r, site.in());
            g.frozen(site, "lora_B.weight", Initializer.ZEROS, site.out(), r);
            acted.remove(site);
            g.add(site, ArrowLayer.of(g, site, config, at(site, tasks), at(site, known)));
        }
        tasks.forEach(part -> acted.addAll(part.keySet()));
        acted.removeAll(g.effects().keySet());
        if (!acted.isEmpty()) {
            throw new InputException(
                    "an expert acts on " + acted.iterator().next().name()
                            + ", which isn't among the linear layers of the router's target_modules");
        }
    }

    private static List<Map<Site, List<Effect>>> parts(Grafter g, String name, List<LoraExpert> experts) {
        List<Map<Site, List<Effect>>> parts = new ArrayList<>();
        for (int i = 0; i < experts.size(); i++) {
            Grafter part = g.nested(name + i, experts.get(i).values(), false);
            new Lora(experts.get(i).config()).graft(part);
            parts.add(part.effects());
        }
        return parts;
    }

    private static List<LowRank> at(Linear site, List<Map<Site, List<Effect>>> parts) {
        List<LowRank> updates = new ArrayList<>();
        for (Map<Site, List<Effect>> part : parts) {
            List<Effect> effects = part.getOrDefault(site, List.of());
            if (effects.size() != 1 || !(effects.get(0) instanceof LowRank update) || update.start() != null) {
                throw new InputException("adapter " + updates.size() + " has no plain low-rank update at " + site.name()
                        + ", where others have one: arrow chooses among adapters of the same modules");
            }
            updates.add(update);
        }
        return updates;
    }

    @Override
    public Map<String, Method> nestedMethods() {
        Map<String, Method> nested = new LinkedHashMap<>();
        nest(nested, "task_", experts);
        nest(nested, "gks_", general);
        return nested;
    }

    private static void nest(Map<String, Method> nested, String name, List<LoraExpert> experts) {
        for (int i = 0; i < experts.size(); i++) {
            nested.put(name + i, new Lora(experts.get(i).config()));
        }
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        if (adapter.trainable().isEmpty()) {
            throw new InputException("arrow has nothing to train: it chooses among adapters that are trained already;"
                    + " `graft merge-adapters A B --combination arrow` makes it");
        }
        return TrainingRule.NONE;
    }

    @Override
    public void write(ObjectNode c, Base base) {
        router.write(c);
        ObjectNode json = c.putObject(FIELD);
        config.write(json);
        json.put("use_gks", !general.isEmpty());
        names(json.putArray("task_adapter_names"), "task_", experts.size());
        names(json.putArray("gks_adapter_names"), "gks_", general.size());
    }

    private static void names(ArrayNode names, String name, int count) {
        for (int i = 0; i < count; i++) {
            names.add(name + i);
        }
    }

    /** The experts of a file are in folders inside its own, as Graft writes them, or beside it, as PEFT does. */
    private static List<LoraExpert> experts(Fields f, @Nullable List<String> names, Base base) {
        List<LoraExpert> experts = new ArrayList<>();
        for (String name : names == null ? List.<String>of() : names) {
            if (!f.has("peft_type")) {
                experts.add(new LoraExpert(UNTRAINED, Map.of()));
                continue;
            }
            if (!name.matches("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")) {
                throw f.invalid(FIELD, "names of adapters in letters and digits");
            }
            Path inside = Path.of(f.source()).toAbsolutePath().resolveSibling(name);
            Path beside = inside.resolve("../../" + name).normalize();
            if (!Files.isDirectory(inside) && !Files.isDirectory(beside)) {
                throw new FormatException(
                        f.source(),
                        "there is no folder " + name
                                + " in its folder or beside that; arrow chooses among adapters in folders of these"
                                + " names",
                        null);
            }
            experts.add(LoraExpert.of(Adapter.load(base, Files.isDirectory(inside) ? inside : beside)));
        }
        return experts;
    }

    /** Registers {@code arrow}. */
    public static final class Kind implements LoraMark.Marked {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "arrow";
        }

        @Override
        public String summary() {
            return "several trained LoRAs, of which each token takes those whose updates it moves most";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withIdentityAtStart(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "LORA";
        }

        @Override
        public LoraMark mark() {
            return LoraMark.value(FIELD);
        }

        @Override
        public boolean matches(Fields config) {
            return mark().equals(LoraMark.of(config));
        }

        @Override
        public List<String> required() {
            return List.of("r", "lora_alpha");
        }

        @Override
        public Method read(Fields f, Base base) {
            LoraConfig router = LoraConfig.read(f, mark());
            Fields own = f.object(FIELD);
            ArrowConfig config = ArrowConfig.read(own);
            List<LoraExpert> experts = experts(f, own.stringsOrNull("task_adapter_names"), base);
            List<LoraExpert> general = experts(f, own.stringsOrNull("gks_adapter_names"), base);
            if (experts.size() < config.topK()) {
                throw f.invalid(FIELD, "at least top_k, " + config.topK() + ", names in task_adapter_names");
            }
            if (own.bool("use_gks", false) == general.isEmpty()) {
                throw f.invalid(FIELD, "gks_adapter_names where use_gks is true, and none where it is false");
            }
            return new Arrow(config, router, experts, general);
        }
    }
}
