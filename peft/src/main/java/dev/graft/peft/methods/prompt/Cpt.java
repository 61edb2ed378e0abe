package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.peft.BaseMismatchException;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Context-aware prompt tuning (Blau et al., 2024): the embeddings of a few examples precede the text, as in in-context learning, and are trained
 * within small bounds: {@code P [T, d]} starts as the embeddings E of the examples' tokens, and after every step row i is projected to within ε_i
 * of E_i, {@code P_i = E_i + δ_i · ε_i / max(‖δ_i‖, ε_i)} with δ = P - E. Every token has a type: of example k, 4k + 1 is a part of the template
 * before its input, 4k + 2 of its input, 4k + 3 of the template before its answer, 4k + 4 of its answer, and 0 is none of these. ε is
 * {@code projection · √(d / 2048)} for inputs and {@code formatProjection · √(d / 2048)} for templates; answers and tokens of no type stay
 * unchanged.
 *
 * <p>The loss also counts the answers in the examples. With "decay" the last one has the weight γ, the one before γ², and so on; else all have
 * the same weight.
 *
 * <p>Trained: T · d. Files: {@code prompt_embeddings}. Doesn't merge, and has no strength but 1; only for causal models. Use it if there are few
 * examples and other prompts overfit.
 *
 * <p>If the largest type isn't that of an answer, PEFT counts no token of the text and its loss is NaN; here the text always counts. PEFT reads
 * {@code cpt_mask} but never uses it; it is preserved.
 *
 * <pre>{@code
 * Cpt method = Cpt.of(base.tokenizer(), "Review: ", "\nMood: ", List.of(new Cpt.Example("a fine film", "good\n")));
 * }</pre>
 *
 * @param ids the tokens of the examples
 * @param types their types
 * @param mask preserved for PEFT, which doesn't use it
 * @param decays whether earlier answers in the context have smaller weights
 * @param decay γ
 * @param projection the bound of the embeddings of inputs
 * @param formatProjection the bound of those of templates
 * @param tokenizer the name of the tokenizer, or null
 */
@RecordBuilder
public record Cpt(
        List<Integer> ids,
        List<Integer> types,
        List<Integer> mask,
        boolean decays,
        double decay,
        double projection,
        double formatProjection,
        @Nullable String tokenizer)
        implements Method, CptBuilder.With {
    /** PEFT's default: one token as a context. A context of examples is the real use of this method. */
    public static final Cpt DEFAULT = of(List.of(0), List.of(1));

    public Cpt {
        ids = List.copyOf(ids);
        types = List.copyOf(types);
        mask = List.copyOf(mask);
        if (ids.isEmpty() || types.size() != ids.size() || mask.size() != ids.size()) {
            throw new InputException("cpt_token_ids has " + ids.size() + " entries, cpt_tokens_type_mask "
                    + types.size() + " and cpt_mask " + mask.size() + ", expected as many of each, and at least 1");
        }
        for (int type : types) {
            if (type < 0) {
                throw new InputException("cpt_tokens_type_mask has " + type + ", expected 0 or more");
            }
        }
        if (!(projection > 0 && formatProjection > 0)) {
            throw new InputException("opt_projection_epsilon is " + projection
                    + " and opt_projection_format_epsilon is " + formatProjection + ", expected more than 0");
        }
    }

    /** An input and the answer to it, as text. */
    public record Example(String input, String answer) {}

    /** Creates one with a context of these tokens and their types. */
    public static Cpt of(List<Integer> ids, List<Integer> types) {
        return new Cpt(ids, types, ids.stream().map(id -> 1).toList(), false, 1, 0.1, 0.1, null);
    }

    /**
     * Creates one with a context of examples.
     *
     * @param beforeInput the template before each input
     * @param beforeAnswer the template before each answer
     */
    public static Cpt of(Tokenizer tokenizer, String beforeInput, String beforeAnswer, List<Example> examples) {
        List<Integer> ids = new ArrayList<>();
        List<Integer> types = new ArrayList<>();
        for (int i = 0; i < examples.size(); i++) {
            Example example = examples.get(i);
            List<String> parts = List.of(beforeInput, example.input, beforeAnswer, example.answer);
            for (int part = 0; part < parts.size(); part++) {
                for (int id : tokenizer
                        .encode(parts.get(part), EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                        .ids()) {
                    ids.add(id);
                    types.add(4 * i + part + 1);
                }
            }
        }
        return of(ids, types);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Base base = g.base();
        if (base.task() != Task.CAUSAL_LM) {
            throw new InputException("cpt is for causal models, and " + base.name() + " has a head for " + base.task());
        }
        VirtualTokens.check(ids.size(), base);
        Embedding table = PromptTuning.input(base);
        for (int id : ids) {
            if (id < 0 || id >= table.rows()) {
                throw new InputException(
                        "cpt_token_ids has " + id + ", but " + base.name() + " has " + table.rows() + " tokens");
            }
        }
        Tensor p = g.parameter(VirtualTokens.KEY, (rng, shape) -> context(table), ids.size(), table.hidden());
        g.add(table, new Effect.Prompt(ids.size(), pass -> moving(p), targets()));
    }

    /** P, without a gradient for the rows that stay as they are. */
    private Tensor moving(Tensor p) {
        Tensor moves = Ops.to(bounds(p.size(1)).gt(new Scalar(0.0)), p.scalar_type());
        return p.mul(moves).add(p.detach().mul(Ops.plus(moves.neg(), 1)));
    }

    /** ε of each row, 0 for rows that stay as they are: {@code [T, 1]}. */
    private Tensor bounds(long hidden) {
        float[] bounds = new float[types.size()];
        for (int i = 0; i < bounds.length; i++) {
            double bound = switch (types.get(i) % 4) {
                case 1, 3 -> formatProjection;
                case 2 -> projection;
                default -> 0;
            };
            bounds[i] = (float) (bound * Math.sqrt(hidden / 2048.0));
        }
        return Tensors.of(bounds, bounds.length, 1);
    }

    private Tensor context(Embedding table) {
        long[] rows = ids.stream().mapToLong(Integer::longValue).toArray();
        return Ops.to(table.weight().detach().index_select(0, Tensors.of(rows, rows.length)), ScalarType.Float);
    }

    /** The answers of the context, and by how much each counts. */
    private PromptTargets targets() {
        List<Integer> answers = new ArrayList<>(new TreeSet<>(types));
        answers.removeIf(type -> type == 0 || type % 4 != 0);
        PromptTargets targets = PromptTargets.none(ids.size());
        for (int i = 0; i < ids.size(); i++) {
            int example = answers.indexOf(types.get(i));
            if (example >= 0) {
                targets.labels()[i] = ids.get(i);
                targets.weights()[i] = decays ? Math.pow(decay, answers.size() - example) : 1;
            }
        }
        return targets;
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        Embedding table = PromptTuning.input(adapter.base());
        Tensor p = adapter.value(VirtualTokens.KEY);
        return new TrainingRule() {
            @Override
            public void afterUpdate(long step, double learningRate) {
                try (NoGrad noGrad = new NoGrad();
                        Scope scope = new Scope()) {
                    project(p, Ops.to(context(table), p.scalar_type()));
                }
            }
        };
    }

    /** Puts every row back to within its bound of the context. */
    private void project(Tensor p, Tensor context) {
        Tensor shift = p.sub(context);
        Tensor bounds = Ops.to(bounds(p.size(1)), p.scalar_type());
        Tensor norm = Ops.norm(shift, 1, true);
        Tensor factor = bounds.div(norm.maximum(bounds)).nan_to_num();
        p.copy_(context.add(shift.mul(factor)));
    }

    @Override
    public void write(ObjectNode json, Base base) {
        VirtualTokens.write(json, ids.size(), 1, base);
        ids.forEach(json.putArray("cpt_token_ids")::add);
        types.forEach(json.putArray("cpt_tokens_type_mask")::add);
        mask.forEach(json.putArray("cpt_mask")::add);
        json.put("opt_weighted_loss_type", decays ? "decay" : "none");
        json.put("opt_loss_decay_factor", decay);
        json.put("opt_projection_epsilon", projection);
        json.put("opt_projection_format_epsilon", formatProjection);
        json.put("tokenizer_name_or_path", tokenizer);
    }

    /** Registers {@code cpt}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "cpt";
        }

        @Override
        public String summary() {
            return "context-aware prompt tuning: worked examples before the text, their embeddings trained within"
                    + " bounds";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT_PROMPT;
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL
                    .withMergeable(false)
                    .withIdentityAtStart(false)
                    .withEncoder(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "CPT";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public Map<String, String> optional() {
            return Map.of(
                    "examples",
                    "the context, as pairs of an input and its answer",
                    "before_input",
                    "the template before each input",
                    "before_answer",
                    "the template before each answer");
        }

        @Override
        public List<String> required() {
            return List.of("cpt_token_ids");
        }

        @Override
        public Method read(Fields f, Base base) {
            Cpt context = examples(f, base);
            if (context == null) {
                List<Integer> given = f.integersOrNull("cpt_token_ids");
                List<Integer> ids = given == null ? List.of(0) : given;
                List<Integer> types = f.integersOrNull("cpt_tokens_type_mask");
                context = of(ids, types == null ? ids.stream().map(id -> 1).toList() : types);
            } else {
                // What stood there before the examples were given.
                f.ignore("cpt_token_ids", "cpt_tokens_type_mask", "num_virtual_tokens");
            }
            List<Integer> mask = f.integersOrNull("cpt_mask");
            VirtualTokens.same(
                    f, base, base.backbone().size().heads(), base.backbone().hiddenSize());
            f.ignore("num_virtual_tokens");
            VirtualTokens.sets(f, base);
            boolean decays =
                    f.choice("opt_weighted_loss_type", "none", "none", "decay").equals("decay");
            return new Cpt(
                    context.ids,
                    context.types,
                    mask == null || f.has("examples") ? context.mask : mask,
                    decays,
                    f.number("opt_loss_decay_factor", 1),
                    f.number("opt_projection_epsilon", 0.1),
                    f.number("opt_projection_format_epsilon", 0.1),
                    f.stringOrNull("tokenizer_name_or_path"));
        }

        /**
         * Returns the context of {@code examples}, each an input and its answer, or null. They are in the command and
         * not in files.
         */
        private static @Nullable Cpt examples(Fields f, Base base) {
            List<JsonNode> given = f.listOrNull("examples");
            String beforeInput = f.string("before_input", "Input: ");
            String beforeAnswer = f.string("before_answer", "\nAnswer: ");
            if (given == null) {
                return null;
            }
            List<Example> examples = new ArrayList<>();
            for (JsonNode pair : given) {
                if (!pair.isArray()
                        || pair.size() != 2
                        || !pair.get(0).isString()
                        || !pair.get(1).isString()) {
                    throw f.invalid("examples", "a list of [input, answer]");
                }
                examples.add(new Example(pair.get(0).stringValue(), pair.get(1).stringValue() + "\n"));
            }
            return of(tokenizer(base), beforeInput, beforeAnswer, examples);
        }

        private static Tokenizer tokenizer(Base base) {
            try {
                return base.tokenizer();
            } catch (InputException none) {
                throw new BaseMismatchException(none);
            }
        }
    }
}
