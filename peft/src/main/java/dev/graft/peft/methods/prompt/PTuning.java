package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * P-Tuning (Liu et al., 2021): T rows {@code P [T, d]} before the embeddings of the tokens. In training a network computes them, so they depend
 * on each other. With {@code E [T, d]} the rows are {@code W₃ relu(W₂ relu(W₁ E + b₁) + b₂) + b₃} by the MLP, hidden size h, or
 * {@code W₂ relu(W₁ lstm(E) + b₁) + b₂} by a bidirectional LSTM of L layers and hidden size h, with {@code W₁ [2h, 2h]} and {@code W₂ [d, 2h]}.
 * Files contain only P, so a loaded adapter has no network.
 *
 * <p>As in the paper the rows can be inside a template instead of before the text. With a pseudo token, the next row of P replaces each of its T
 * occurrences in a text, such as {@code [P][P] The film was [P] [MASK]}.
 *
 * <p>Trained: T · d + h · (d + 1) + h · (h + 1) + d · (h + 1) with the MLP; T · d + 8h · (d + h + 2) for the first layer of the LSTM and 8h · (3h
 * + 2) for each other one, and 2h · (2h + 1) + d · (2h + 1); T · d once loaded. E starts normal around 0 with deviation 1, the networks as
 * PyTorch's. Files: {@code prompt_embeddings}, or {@code template_embeddings} with a pseudo token, which PEFT can't use. Doesn't merge, and has
 * no strength but 1. Use it if prompt tuning learns too slowly.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, PTuning.DEFAULT, 42);
 * }</pre>
 *
 * @param tokens T
 * @param encoder the network
 * @param encoderHidden h, or null for d
 * @param encoderLayers L, of the LSTM; the MLP always has three layers
 * @param encoderDropout the dropout between the layers of the LSTM, in training
 * @param pseudoToken the id of the token that is replaced; null for rows before the text
 * @param sets the number of sets of T rows in files: 1, or 2 as in PEFT for encoder-decoders, which never uses the second
 */
public record PTuning(
        int tokens,
        Encoder encoder,
        @Nullable Integer encoderHidden,
        int encoderLayers,
        double encoderDropout,
        @Nullable Integer pseudoToken,
        int sets)
        implements Method {
    /** The network that computes the rows. */
    public enum Encoder {
        MLP,
        LSTM
    }

    /** Twenty rows before the text, computed by an MLP. */
    public static final PTuning DEFAULT = new PTuning(20, Encoder.MLP, null, 2, 0, null);

    public PTuning {
        VirtualTokens.positive(tokens);
        if (encoderHidden != null && encoderHidden < 1) {
            throw new InputException("encoder_hidden_size is " + encoderHidden + ", expected at least 1");
        }
        if (encoderLayers < 1) {
            throw new InputException("encoder_num_layers is " + encoderLayers + ", expected at least 1");
        }
        if (!(encoderDropout >= 0 && encoderDropout < 1)) {
            throw new InputException("encoder_dropout is " + encoderDropout + ", expected 0 or more and less than 1");
        }
    }

    /** Creates one with one set of rows. */
    public PTuning(
            int tokens,
            Encoder encoder,
            @Nullable Integer encoderHidden,
            int encoderLayers,
            double encoderDropout,
            @Nullable Integer pseudoToken) {
        this(tokens, encoder, encoderHidden, encoderLayers, encoderDropout, pseudoToken, 1);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    private String key() {
        return pseudoToken == null ? VirtualTokens.KEY : "template_embeddings";
    }

    /** A function that computes P. */
    private interface PromptRows {
        Tensor make(boolean training);
    }

    @Override
    public void graft(Grafter g) {
        Embedding table = PromptTuning.input(g.base());
        PromptRows rows = g.isLoading() ? plain(g, table.hidden()) : encoded(g, table.hidden());
        if (pseudoToken == null) {
            VirtualTokens.check(tokens, g.base());
            g.add(
                    table,
                    new Effect.Prompt(
                            tokens, pass -> rows.make(pass.isTraining()).narrow(0, 0, tokens)));
            return;
        }
        if (pseudoToken < 0 || pseudoToken >= table.rows()) {
            throw new InputException("pseudo_token_id is " + pseudoToken + ", but "
                    + g.base().name() + " has " + table.rows() + " tokens");
        }
        g.add(table, new Template(tokens, pseudoToken, rows));
    }

    private PromptRows plain(Grafter g, long d) {
        Tensor p = g.parameter(key(), Initializer.normal(1), (long) sets * tokens, d);
        return training -> p;
    }

    private PromptRows encoded(Grafter g, long d) {
        long h = encoderHidden == null ? d : encoderHidden;
        Tensor e =
                g.unsavedParameter("prompt_encoder.embedding.weight", Initializer.normal(1), (long) sets * tokens, d);
        PromptRows rows = encoder == Encoder.MLP ? mlp(g, e, d, h) : lstm(g, e, d, h);
        g.export(key(), () -> rows.make(false));
        return rows;
    }

    private static PromptRows mlp(Grafter g, Tensor e, long d, long h) {
        Layer first = Layer.of(g, 0, h, d);
        Layer second = Layer.of(g, 2, h, h);
        Layer third = Layer.of(g, 4, d, h);
        return training -> third.apply(second.apply(first.apply(e).relu()).relu());
    }

    /** A linear layer of the network. */
    private record Layer(Tensor weight, Tensor bias) {
        static Layer of(Grafter g, int index, long out, long in) {
            String at = "prompt_encoder.mlp_head." + index + ".";
            return new Layer(
                    g.unsavedParameter(at + "weight", Initializer.KAIMING, out, in),
                    g.unsavedParameter(at + "bias", Initializer.uniform(1 / Math.sqrt(in)), out));
        }

        Tensor apply(Tensor x) {
            return Ops.linear(x, weight, bias);
        }
    }

    private PromptRows lstm(Grafter g, Tensor e, long d, long h) {
        Tensor[][] layers = new Tensor[encoderLayers][];
        for (int i = 0; i < encoderLayers; i++) {
            layers[i] = bidirectional(g, i, i == 0 ? d : 2 * h, h);
        }
        Layer first = Layer.of(g, 0, 2 * h, 2 * h);
        Layer second = Layer.of(g, 2, d, 2 * h);
        return training -> {
            Tensor x = e.unsqueeze(1);
            for (int i = 0; i < layers.length; i++) {
                x = run(i == 0 ? x : Dropout.apply(x, encoderDropout, training), layers[i], h);
            }
            return second.apply(first.apply(x.squeeze(1)).relu());
        };
    }

    private static Tensor[] bidirectional(Grafter g, int layer, long in, long h) {
        Initializer initializer = Initializer.uniform(1 / Math.sqrt(h));
        Tensor[] parameters = new Tensor[8];
        for (int direction = 0; direction < 2; direction++) {
            String end = "_l" + layer + (direction == 0 ? "" : "_reverse");
            String at = "prompt_encoder.lstm_head.";
            parameters[4 * direction] = g.unsavedParameter(at + "weight_ih" + end, initializer, 4 * h, in);
            parameters[4 * direction + 1] = g.unsavedParameter(at + "weight_hh" + end, initializer, 4 * h, h);
            parameters[4 * direction + 2] = g.unsavedParameter(at + "bias_ih" + end, initializer, 4 * h);
            parameters[4 * direction + 3] = g.unsavedParameter(at + "bias_hh" + end, initializer, 4 * h);
        }
        return parameters;
    }

    /** One layer of the LSTM on x {@code [T, 1, in]}: {@code [T, 1, 2h]}. */
    private static Tensor run(Tensor x, Tensor[] parameters, long h) {
        Tensor zeros = Tensors.zeros(x.scalar_type(), 2, 1, h);
        return torch.lstm(
                        x,
                        Tensors.vector(List.of(zeros, zeros)),
                        Tensors.vector(List.of(parameters)),
                        true,
                        1,
                        0,
                        false,
                        true,
                        false)
                .get0();
    }

    /** The k-th occurrence of the pseudo token in a text is embedded as row k of P. */
    private record Template(int tokens, int pseudoToken, PromptRows rows) implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            throw new InputException("p-tuning can't be merged: where its rows stand depends on the text");
        }

        @Override
        public Tensor apply(Affine inner, Tensor ids, PassView pass) {
            Tensor embedded = inner.apply(ids, pass);
            if (pass.isContinuation()) {
                return embedded;
            }
            Tensor pseudo = ids.eq(new Scalar((long) pseudoToken));
            Tensor counts = pseudo.cumsum(1);
            for (long count : Tensors.longs(counts.select(1, ids.size(1) - 1))) {
                if (count != tokens) {
                    throw new InputException("a text has the pseudo token " + pseudoToken + " " + count
                            + " times, expected " + tokens + " times as num_virtual_tokens says");
                }
            }
            Tensor index = counts.sub(new Scalar(1L)).clamp_min(new Scalar(0L));
            Tensor p = Ops.to(rows.make(pass.isTraining()), embedded.scalar_type());
            Tensor replaced = p.index_select(0, index.reshape(-1)).view(Tensors.shape(embedded));
            return torch.where(pseudo.unsqueeze(-1), replaced, embedded);
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        VirtualTokens.write(json, tokens, sets, base);
        json.put("encoder_reparameterization_type", encoder.name());
        json.put("encoder_hidden_size", encoderHidden == null ? base.backbone().hiddenSize() : encoderHidden);
        json.put("encoder_num_layers", encoderLayers);
        json.put("encoder_dropout", encoderDropout);
        if (pseudoToken != null) {
            json.put("pseudo_token_id", pseudoToken);
        }
    }

    /** Registers {@code p-tuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "p-tuning";
        }

        @Override
        public String summary() {
            return "embeddings, made by a small network, before those of the text or at places within it";
        }

        @Override
        public Layout layout() {
            return Layout.PEFT_PROMPT;
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
            return "P_TUNING";
        }

        @Override
        public double rateFactor() {
            return 3;
        }

        @Override
        public Map<String, String> optional() {
            return Map.of("pseudo_token_id", "id of the token that the rows replace; null for rows before the text");
        }

        @Override
        public List<String> required() {
            return List.of("num_virtual_tokens");
        }

        @Override
        public Method read(Fields f, Base base) {
            return new PTuning(
                    VirtualTokens.read(f, base),
                    Encoder.valueOf(f.choice("encoder_reparameterization_type", "MLP", "MLP", "LSTM")),
                    f.integerOrNull("encoder_hidden_size", 1, Integer.MAX_VALUE),
                    f.integer("encoder_num_layers", 2, 1),
                    f.number("encoder_dropout", 0),
                    f.integerOrNull("pseudo_token_id"),
                    VirtualTokens.sets(f, base));
        }
    }
}
