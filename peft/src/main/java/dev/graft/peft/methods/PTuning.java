package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Embedding;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * P-Tuning (Liu et al., 2021): T rows {@code P [T, d]} before the embeddings of the tokens, made by a network while it trains, so that they
 * depend on each other. With {@code E [T, d]} the rows are {@code W₃ relu(W₂ relu(W₁ E + b₁) + b₂) + b₃} by the MLP, hidden size h, or
 * {@code W₂ relu(W₁ lstm(E) + b₁) + b₂} by a bidirectional LSTM of L layers and hidden size h, with {@code W₁ [2h, 2h]} and
 * {@code W₂ [d, 2h]}. Files hold P alone, so a loaded adapter is plain.
 *
 * <p>As in the paper the rows can stand inside a template instead of before the text: with a pseudo token, each of its T occurrences in a
 * text is replaced by the next row of P, so a text such as {@code [P][P] The film was [P] [MASK]} says where they are.
 *
 * <p>Trained: T · d + h · (d + 1) + h · (h + 1) + d · (h + 1) with the MLP; T · d + 8h · (d + h + 2) for the first layer of the LSTM and
 * 8h · (3h + 2) for each other one, and 2h · (2h + 1) + d · (2h + 1); T · d once loaded. E starts normal around 0 with deviation 1, the
 * networks as PyTorch's. Files: {@code prompt_embeddings}, or {@code template_embeddings} with a pseudo token, which PEFT can't use.
 * Doesn't merge, and has no strength but 1. Use it where prompt tuning learns too slowly.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, PTuning.DEFAULT, 42);
 * }</pre>
 *
 * @param tokens T
 * @param encoder the network
 * @param encoderHidden h, or null for d
 * @param encoderLayers L, of the LSTM; the MLP always has three layers
 * @param encoderDropout between the layers of the LSTM, in training
 * @param pseudoToken the id of the token that is replaced; null for rows before the text
 * @param sets how many sets of T rows files hold: 1, or the 2 that PEFT makes for encoder-decoders, whose second it never uses
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
    /** The network that makes the rows. */
    public enum Encoder {
        MLP,
        LSTM
    }

    /** Twenty rows before the text, made by an MLP. */
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

    /** One set of rows. */
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

    /** Makes P. */
    private interface Rows {
        Tensor make(boolean training);
    }

    @Override
    public void graft(Grafter g) {
        Embedding table = PromptTuning.input(g.base());
        Rows rows = g.loads() ? plain(g, table.hidden()) : encoded(g, table.hidden());
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

    private Rows plain(Grafter g, long d) {
        Tensor p = g.parameter(key(), Initial.normal(1), (long) sets * tokens, d);
        return training -> p;
    }

    private Rows encoded(Grafter g, long d) {
        long h = encoderHidden == null ? d : encoderHidden;
        Tensor e = g.inner("prompt_encoder.embedding.weight", Initial.normal(1), (long) sets * tokens, d);
        Rows rows = encoder == Encoder.MLP ? mlp(g, e, d, h) : lstm(g, e, d, h);
        g.export(key(), () -> rows.make(false));
        return rows;
    }

    private static Rows mlp(Grafter g, Tensor e, long d, long h) {
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
                    g.inner(at + "weight", Initial.KAIMING, out, in),
                    g.inner(at + "bias", Initial.uniform(1 / Math.sqrt(in)), out));
        }

        Tensor apply(Tensor x) {
            return Ops.linear(x, weight, bias);
        }
    }

    private Rows lstm(Grafter g, Tensor e, long d, long h) {
        Tensor[][] layers = new Tensor[encoderLayers][];
        for (int i = 0; i < encoderLayers; i++) {
            layers[i] = bidirectional(g, i, i == 0 ? d : 2 * h, h);
        }
        Layer first = Layer.of(g, 0, 2 * h, 2 * h);
        Layer second = Layer.of(g, 2, d, 2 * h);
        return training -> {
            Tensor x = e.unsqueeze(1);
            for (int i = 0; i < layers.length; i++) {
                x = run(i == 0 ? x : Ops.dropout(x, encoderDropout, training), layers[i], h);
            }
            return second.apply(first.apply(x.squeeze(1)).relu());
        };
    }

    private static Tensor[] bidirectional(Grafter g, int layer, long in, long h) {
        Initial start = Initial.uniform(1 / Math.sqrt(h));
        Tensor[] parameters = new Tensor[8];
        for (int direction = 0; direction < 2; direction++) {
            String end = "_l" + layer + (direction == 0 ? "" : "_reverse");
            String at = "prompt_encoder.lstm_head.";
            parameters[4 * direction] = g.inner(at + "weight_ih" + end, start, 4 * h, in);
            parameters[4 * direction + 1] = g.inner(at + "weight_hh" + end, start, 4 * h, h);
            parameters[4 * direction + 2] = g.inner(at + "bias_ih" + end, start, 4 * h);
            parameters[4 * direction + 3] = g.inner(at + "bias_hh" + end, start, 4 * h);
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
    private record Template(int tokens, int pseudoToken, Rows rows) implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            throw new InputException("p-tuning can't be merged: where its rows stand depends on the text");
        }

        @Override
        public Tensor apply(Affine inner, Tensor ids, Pass pass) {
            Tensor embedded = inner.apply(ids, pass);
            if (pass.context().continues()) {
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
            return new Capabilities(false, false, true, true);
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
