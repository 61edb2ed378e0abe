package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.Targets;
import dev.graft.peft.internal.TokenRows;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * Trainable tokens: other rows for a few tokens of the embedding, and of the head where it is tied to it. They start as the base's, so a new
 * adapter changes nothing.
 *
 * <p>Trained: hidden for a token. Files: {@code <module>.trainable_tokens_delta [tokens, hidden]}, which in spite of its name holds the rows
 * themselves, in the order of {@code token_indices}; with a tied head a second time under its name. Merges: the table with these rows. Use it for new
 * or rare words, beside the same option of LoRA ({@code trainable_token_indices}). It changes nothing but what these tokens mean.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, TrainableTokens.of(32000, 32001), 42);
 * }</pre>
 *
 * @param tokens their ids
 * @param targets the tables; by default the input embedding
 * @param startAsBase whether rows start as the base's; else they are standard normal
 */
public record TrainableTokens(List<Integer> tokens, Targets targets, boolean startAsBase) implements Method {
    private static final String SUFFIX = "trainable_tokens_delta";

    public TrainableTokens {
        tokens = List.copyOf(tokens);
    }

    /** Rows of the input embedding. */
    public static TrainableTokens of(Integer... tokens) {
        return new TrainableTokens(List.of(tokens), Targets.DEFAULT, true);
    }

    public TrainableTokens withTargets(Targets newTargets) {
        return new TrainableTokens(tokens, newTargets, startAsBase);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        if (tokens.isEmpty()) {
            throw new InputException("token_indices is empty: give the ids of the tokens to train");
        }
        List<Site> sites = targets.isDefault() ? inputs(g.base()) : g.targets(targets);
        Linear head = g.base().head().output();
        for (Site site : sites) {
            boolean comesWithTheEmbedding = site == head && sites.stream().anyMatch(other -> isTied(other, head));
            if (!comesWithTheEmbedding) {
                TokenRows.graft(g, site, tokens, "token_indices", SUFFIX, startAsBase);
            }
        }
    }

    private static List<Site> inputs(Base base) {
        return base.sites().stream()
                .filter(site -> site instanceof Embedding embedding && embedding.input())
                .toList();
    }

    private static boolean isTied(Site site, Linear head) {
        return site instanceof Embedding embedding
                && embedding.input()
                && embedding.weight().equals(head.weight());
    }

    @Override
    public void write(ObjectNode json, Base base) {
        targets.spelledOut(base).write(json);
        json.remove(List.of("exclude_modules", "layers_to_transform", "layers_pattern"));
        tokens.forEach(json.putArray("token_indices")::add);
        json.put("init_weights", startAsBase);
    }

    /** Registers {@code trainable-tokens}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "trainable-tokens";
        }

        @Override
        public String summary() {
            return "trains the embeddings of a few tokens";
        }

        @Override
        public Capabilities capabilities() {
            return new Capabilities(true, true, true, true);
        }

        @Override
        public boolean savesModules() {
            return false;
        }

        @Override
        public Method defaults() {
            return of();
        }

        @Override
        public String peftType() {
            return "TRAINABLE_TOKENS";
        }

        @Override
        public double rateFactor() {
            return 3;
        }

        @Override
        public List<String> required() {
            return List.of("token_indices");
        }

        @Override
        public Method read(Fields config, Base base) {
            List<Integer> tokens = config.integersOrNull("token_indices");
            return new TrainableTokens(
                    tokens == null ? List.of() : tokens, Targets.read(config), config.bool("init_weights", true));
        }
    }
}
