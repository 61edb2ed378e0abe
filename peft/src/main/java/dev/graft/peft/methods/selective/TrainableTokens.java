package dev.graft.peft.methods.selective;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.internal.TokenRows;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * Trainable tokens: trained rows for a few tokens of the embedding, and of a tied head. They start as the base's, so a new adapter changes
 * nothing.
 *
 * <p>Trained: hidden for a token. Files: {@code <module>.trainable_tokens_delta [tokens, hidden]}, which despite its name contains the rows
 * themselves, in the order of {@code token_indices}; with a tied head again under the head's name. Merges: the table with these rows. Use it for
 * new or rare words, beside the same option of LoRA ({@code trainable_token_indices}). It changes only the meaning of these tokens.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, TrainableTokens.of(32000, 32001), 42);
 * }</pre>
 *
 * @param tokens their ids
 * @param targets the tables; by default the input embedding
 * @param startAsBase whether rows start as the base's; else they are standard normal
 */
@RecordBuilder
public record TrainableTokens(List<Integer> tokens, TargetModules targets, boolean startAsBase)
        implements Method, TrainableTokensBuilder.With {
    private static final String SUFFIX = "trainable_tokens_delta";

    public TrainableTokens {
        tokens = List.copyOf(tokens);
    }

    /** Creates one for rows of the input embedding. */
    public static TrainableTokens of(Integer... tokens) {
        return new TrainableTokens(List.of(tokens), TargetModules.DEFAULT, true);
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
        targets.withExplicitNames(base).write(json);
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
            return Capabilities.ALL;
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
                    tokens == null ? List.of() : tokens, TargetModules.read(config), config.bool("init_weights", true));
        }
    }
}
