package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.heads.Head;
import dev.graft.models.sites.PromptTargets;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.AdapterHubType;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Prompt tuning (Lester et al., 2021) as AdapterHub has it: T trained rows {@code P [T, hidden]} before those of the text, where the residual
 * stream enters the first layer, so without positions, segments and the normalisation of the embeddings. A classifier that reads the first
 * position reads the first row of the prompt; with {@code inside} the prompt follows that position, which such a classifier continues to read. On
 * encoders only, as in AdapterHub.
 *
 * <p>Trained: T · hidden. P starts uniform on ±0.5, or as the embeddings of a text. Files, in AdapterHub's layout:
 * {@code prompt_tuning.prompt_tunings.NAME.prompt_embedding.weight}. Doesn't merge, and has no strength but 1. {@link PromptTuning} puts its rows
 * before the embeddings' own positions, as PEFT does, and works on decoders.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, AdapterHubPrompt.DEFAULT, 42);
 * }</pre>
 *
 * @param tokens T
 * @param text the text whose embeddings initialise P, or null
 * @param inside whether P follows the text's first position
 */
public record AdapterHubPrompt(int tokens, @Nullable String text, boolean inside) implements Method {
    private static final Set<Task> EACH_TOKEN =
            Set.of(Task.TOKEN_CLS, Task.QUESTION_ANS, Task.MASKED_LM, Task.SEMANTIC_SEG);

    /** Ten rows. */
    public static final AdapterHubPrompt DEFAULT = new AdapterHubPrompt(10, null, false);

    public AdapterHubPrompt {
        if (tokens < 1) {
            throw new InputException("prompt_length is " + tokens + ", expected at least 1");
        }
        if (text != null && text.isEmpty()) {
            throw new InputException("prompt_init_text is empty, expected a text");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Base base = g.base();
        if (base.architecture().tasks().contains(Task.CAUSAL_LM)) {
            throw new InputException(
                    base.name() + " is a causal model, for which this prompt has no positions; use prompt-tuning");
        }
        if (inside && (EACH_TOKEN.contains(base.task()) || base.head() instanceof Head.CustomHead)) {
            throw new InputException("combine is \"prefix_after_bos\", expected \"prefix\": the head of " + base.name()
                    + " reads more than the first position, and would take the prompt for a part of the text");
        }
        Initializer initializer = text == null
                ? Initializer.uniform(0.5)
                : PromptTuning.Init.TEXT.rows(base, PromptTuning.input(base), text);
        for (Site site : base.sites()) {
            if (site instanceof Stream stream) {
                Tensor rows = g.parameter(
                        AdapterHubFields.root(base) + "prompt_tuning.prompt_tunings.*.prompt_embedding.weight",
                        initializer,
                        tokens,
                        stream.hidden());
                g.add(stream, new Effect.Prompt(tokens, pass -> rows, PromptTargets.none(tokens), inside));
            }
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
        c.put("architecture", "prompt_tuning");
        c.put("prompt_length", tokens);
        c.put("prompt_init", text == null ? "random_uniform" : "from_string");
        c.put("prompt_init_text", text);
        c.put("combine", inside ? "prefix_after_bos" : "prefix");
        c.putNull("init_weights_seed");
    }

    /** Registers {@code adapterhub-prompt-tuning}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "adapterhub-prompt-tuning";
        }

        @Override
        public String summary() {
            return "AdapterHub's prompt tuning: rows before those of the text, without positions";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL
                    .withMergeable(false)
                    .withIdentityAtStart(false)
                    .withDecoder(false);
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "prompt_tuning";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public Method read(Fields f, Base base) {
            f.ignore("architecture", "init_weights_seed", "random_uniform_scale");
            boolean inside =
                    f.choice("combine", "prefix", "prefix", "prefix_after_bos").equals("prefix_after_bos");
            String text = f.stringOrNull("prompt_init_text");
            boolean ofText = f.choice("prompt_init", "random_uniform", "random_uniform", "from_string")
                    .equals("from_string");
            return new AdapterHubPrompt(f.integer("prompt_length", 10, 1), ofText ? text : null, inside);
        }
    }
}
