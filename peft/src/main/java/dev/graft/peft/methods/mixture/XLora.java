package dev.graft.peft.methods.mixture;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.BaseMismatchException;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.LookAhead;
import dev.graft.peft.Method;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.internal.NestedAdapters;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.lora.LowRank;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * X-LoRA (Buehler and Buehler, 2024): several trained LoRAs, the experts, and a classifier that computes the share of each expert for each token.
 * The frozen model reads the text first; with {@code h [seq, hidden]} its last hidden states,
 *
 * <pre>{@code
 * s = softmax(C(h) / τ)        y = W x + b + g Σᵢ sᵢ ⊙ ΔWᵢ x
 * }</pre>
 *
 * where C is a multilayer perceptron with ReLU, sᵢ {@code [seq, 1]} is common to all layers or, layerwise, separate for each. If k is given, only
 * the k largest sᵢ count. g is the global weight. A layer that reads one row for a text, such as a pooler, uses the mean of its tokens' shares.
 *
 * <p>Trained: C alone, hidden · size + size for the first of its layers, size² + size for each between, and (size or, with one layer, hidden + 1)
 * · n for the last, n the number of experts, layerwise times the number of adapted layers; with {@code use_trainable_adapters} the experts too. C
 * starts as {@code nn.Linear}, so experts have about equal shares. Files, in PEFT's layout: {@code internal_xlora_classifier.layers.K.weight} and
 * {@code .bias}, and each expert as a LoRA in a folder of its own, {@code 0}, {@code 1} and so on. Doesn't merge; each token costs two passes.
 * Use it if experts for several fields exist and a text may need each of them.
 *
 * <pre>{@code
 * Adapter mixture = Adapter.create(base, XLora.of(List.of(chemistry, physics)), 42);
 * }</pre>
 *
 * @param experts the experts, in the order of the classifier's outputs
 */
public record XLora(XLoraConfig config, List<LoraExpert> experts) implements Method {
    private static final String CLASSIFIER = "internal_xlora_classifier.layers.";

    /** Two untrained experts, as placeholders. */
    public static final XLora DEFAULT = new XLora(
            XLoraConfig.DEFAULT,
            Collections.nCopies(2, new LoraExpert(LoraConfig.DEFAULT.withInit(LoraInits.of("false")), Map.of())));

    public XLora {
        experts = List.copyOf(experts);
        if (experts.size() < 2) {
            throw new InputException("adapters are " + experts.size() + ", expected at least two");
        }
        if (config.topK() != null && config.topK() > experts.size()) {
            throw new InputException(
                    "top_k_lora is " + config.topK() + ", expected at most the " + experts.size() + " adapters");
        }
    }

    /**
     * Creates a mixture of trained LoRAs with PEFT's settings. It ignores their classifier heads, since the mixture trains its own.
     */
    public static XLora of(List<Adapter> experts) {
        return new XLora(
                XLoraConfig.DEFAULT, experts.stream().map(LoraExpert::of).toList());
    }

    /** Returns a copy with the same experts and other settings. */
    public XLora with(XLoraConfig newConfig) {
        return new XLora(newConfig, experts);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        if (g.base().task() == Task.SEQ_2_SEQ_LM || g.base().backbone().vocabSize() == 0) {
            throw new InputException(g.base().name() + " has no text of one side, by whose tokens xlora mixes");
        }
        List<Map<Site, List<Effect>>> parts = new ArrayList<>();
        for (int i = 0; i < experts.size(); i++) {
            Grafter part = g.nested(String.valueOf(i), experts.get(i).values(), config.trainsExperts());
            new Lora(experts.get(i).config()).graft(part);
            parts.add(part.effects());
        }
        Map<Site, List<@Nullable LowRank>> sites = new LinkedHashMap<>();
        for (Site site : g.base().sites()) {
            List<@Nullable LowRank> updates = new ArrayList<>();
            parts.forEach(part -> updates.add(update(site, part.getOrDefault(site, List.of()))));
            if (updates.stream().anyMatch(update -> update != null)) {
                sites.put(site, updates);
            }
        }
        LookAhead shares = classifier(g, sites.size());
        g.lookAhead(shares);
        int layer = 0;
        for (Map.Entry<Site, List<@Nullable LowRank>> entry : sites.entrySet()) {
            g.add(entry.getKey(), new Mixed(entry.getKey(), entry.getValue(), shares, layer++, config));
        }
    }

    private static @Nullable LowRank update(Site site, List<Effect> effects) {
        if (effects.isEmpty()) {
            return null;
        }
        boolean sequence = site instanceof Embedding || site instanceof Linear linear && linear.role() != Role.HEAD;
        if (sequence && effects.size() == 1 && effects.get(0) instanceof LowRank update) {
            return update;
        }
        throw new InputException("an expert acts on " + site.name() + " by "
                + effects.get(0).getClass().getSimpleName()
                + "; X-LoRA mixes low-rank updates of embeddings and of linear layers below the head");
    }

    /** C, whose result is {@code [batch, seq, layers or 1, experts]}. */
    private LookAhead classifier(Grafter g, int layers) {
        long hidden = g.base().backbone().outputSize();
        long out = (long) experts.size() * (config.layerwise() ? layers : 1);
        int step = config.dropout() > 0 ? 3 : 2;
        List<Tensor> weights = new ArrayList<>();
        List<Tensor> biases = new ArrayList<>();
        for (int i = 0; i < config.depth(); i++) {
            long in = i == 0 ? hidden : config.size();
            long to = i == config.depth() - 1 ? out : config.size();
            String at = CLASSIFIER + i * step;
            weights.add(g.parameter(at + ".weight", Initializer.KAIMING, to, in));
            biases.add(g.parameter(at + ".bias", Initializer.uniform(1 / Math.sqrt(in)), to));
        }
        return (states, pass) -> {
            Tensor z = Ops.to(states, weights.get(0).scalar_type());
            for (int i = 0; i < weights.size(); i++) {
                z = Ops.linear(
                        i == 0 ? z : Dropout.apply(z.relu(), config.dropout(), pass.isTraining()),
                        weights.get(i),
                        biases.get(i));
            }
            return config.shares(z.reshape(z.size(0), z.size(1), -1, experts.size()));
        };
    }

    /** The experts' updates at one layer, each by its share of the token. */
    private record Mixed(Site site, List<@Nullable LowRank> experts, LookAhead shares, int layer, XLoraConfig config)
            implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor all = pass.getState(shares);
            Tensor own = config.chosen(all.select(2, all.size(2) == 1 ? 0 : layer));
            if (!(site instanceof Embedding) && x.dim() == 2) {
                own = mean(own, pass.mask());
            } else if (x.size(0) != own.size(0) || x.size(1) != own.size(1)) {
                throw new InputException(site.name() + " is given " + x.size(0) + " × " + x.size(1)
                        + " positions, X-LoRA knows shares for " + own.size(0) + " × " + own.size(1));
            }
            Tensor sum = null;
            for (int i = 0; i < experts.size(); i++) {
                LowRank expert = experts.get(i);
                if (expert == null) {
                    continue;
                }
                Tensor share = own.narrow(-1, i, 1);
                Tensor part;
                if (site instanceof Embedding) {
                    Tensor update = expert.apply(x, pass);
                    part = update.mul(Ops.to(share, update.scalar_type()));
                } else {
                    part = expert.apply(x.mul(Ops.to(share, x.scalar_type())), pass);
                }
                sum = sum == null ? part : sum.add(part);
            }
            if (sum == null) {
                throw new IllegalStateException(site.name() + " has no expert");
            }
            return Ops.scale(sum, config.globalWeight());
        }

        /** The shares of each text as a whole, {@code [batch, experts]}. */
        private static Tensor mean(Tensor shares, Tensor mask) {
            Tensor seen = Ops.to(mask, shares.scalar_type()).unsqueeze(-1);
            return Ops.sum(shares.mul(seen), 1, false).div(Ops.sum(seen, 1, false));
        }

        @Override
        public @Nullable Tensor weight() {
            return null;
        }
    }

    /** Returns the method with the experts' current values. */
    @Override
    public Method savedMethod(Instance adapter) {
        List<LoraExpert> present = new ArrayList<>();
        for (int i = 0; i < experts.size(); i++) {
            Lora lora = new Lora(experts.get(i).config());
            present.add(LoraExpert.of(lora, adapter.nestedAdapter(String.valueOf(i), lora)));
        }
        return new XLora(config, present);
    }

    @Override
    public Map<String, Method> nestedMethods() {
        Map<String, Method> nested = new LinkedHashMap<>();
        for (int i = 0; i < experts.size(); i++) {
            nested.put(String.valueOf(i), new Lora(experts.get(i).config()));
        }
        return nested;
    }

    @Override
    public void write(ObjectNode c, Base base) {
        config.write(c);
        c.put("hidden_size", base.backbone().outputSize());
        ObjectNode adapters = c.putObject("adapters");
        for (int i = 0; i < experts.size(); i++) {
            String name = String.valueOf(i);
            if (experts.get(i).values().isEmpty()) {
                experts.get(i).config().write(adapters.putObject(name));
            } else {
                adapters.put(name, name);
            }
        }
    }

    /** Experts are in the folders 0, 1 and so on beside a file; else they are named by the folders that they are in, or by settings. */
    private static List<LoraExpert> experts(Fields f, Base base) {
        Fields adapters = f.object("adapters");
        List<String> names = new ArrayList<>(adapters.names());
        if (names.stream().allMatch(name -> name.matches("[0-9]{1,4}"))) {
            names.sort(Comparator.comparing(Integer::valueOf));
        }
        List<LoraExpert> experts = new ArrayList<>();
        for (String name : names) {
            JsonNode given = adapters.node(name);
            if (f.has("peft_type")) {
                experts.add(LoraExpert.of(beside(f, base, experts.size())));
            } else if (given != null && given.isString()) {
                experts.add(LoraExpert.of(NestedAdapters.load(base, Path.of(given.stringValue()))));
            } else {
                experts.add(new LoraExpert(LoraConfig.read(adapters.object(name), null), Map.of()));
            }
        }
        return experts;
    }

    /** Loads an expert from the folder beside the file. The file's own paths of its experts are ignored. */
    private static Adapter beside(Fields f, Base base, int expert) {
        Path folder = Path.of(f.source()).resolveSibling(String.valueOf(expert));
        if (!Files.isDirectory(folder)) {
            throw new FormatException(
                    f.source(),
                    "there is no folder " + folder.getFileName()
                            + " beside it; an X-LoRA has each of its adapters in a folder of its number, from 0 on",
                    null);
        }
        return Adapter.load(base, folder);
    }

    /** Registers {@code xlora}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "xlora";
        }

        @Override
        public String summary() {
            return "a mixture of several trained LoRAs, by a classifier of each token";
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
            return "XLORA";
        }

        @Override
        public boolean savesModules() {
            return false;
        }

        @Override
        public Map<String, String> optional() {
            return Map.of("adapters", "by name, the folders of trained LoRAs, or settings of untrained ones");
        }

        @Override
        public List<String> required() {
            return List.of("adapters", "hidden_size");
        }

        @Override
        public Method read(Fields f, Base base) {
            XLoraConfig config = XLoraConfig.read(f);
            int hidden = f.integer("hidden_size", base.backbone().outputSize());
            if (hidden != base.backbone().outputSize()) {
                throw new BaseMismatchException(
                        f.invalid("hidden_size", base.backbone().outputSize() + ", the base's"));
            }
            return new XLora(config, experts(f, base));
        }
    }
}
