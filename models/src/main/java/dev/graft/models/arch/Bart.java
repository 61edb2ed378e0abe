package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.InputEmbeddings;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * BART (Lewis et al., 2020): learned positions, a bidirectional encoder and a decoder that attends to it. Without an
 * answer, as in a classifier, the decoder reads the text itself, one position later.
 */
public final class Bart implements Backbone {
    /** The number of rows in the tables of positions before that of the first position. */
    private static final int OFFSET = 2;

    private final Size size;
    private final int start;
    private final Embedding shared;
    private final double scale;
    private final Embedding positions;
    private final BartStack encoder;
    private final Norm norm;
    private final BartDecoder decoder;
    private final double dropout;

    private Bart(Fields f, Weights w, String prefix) {
        int width = f.integer("d_model");
        size = new Size(
                f.integer("vocab_size"),
                width,
                f.integer("encoder_layers"),
                BertEncoder.heads(f, "encoder_attention_heads", "d_model"),
                f.integer("max_position_embeddings"));
        start = f.integer("decoder_start_token_id", 2, 0);
        dropout = f.number("dropout", 0.1, 0, 1);
        scale = f.bool("scale_embedding", false) ? Math.sqrt(width) : 1;
        String table = prefix + "shared";
        shared = new Embedding(
                table,
                w.renamed(table + ".weight", stored(w, prefix, table), size.vocab(), width),
                true,
                Embedding.padding(f, 1));
        positions = positions(w, prefix + "encoder.");
        encoder = new BartStack(w, prefix + "encoder.", BartStack.Config.read(f, "encoder", false), false);
        norm = w.layerNorm(prefix + "encoder.layernorm_embedding", -1, width, true, 1e-5);
        decoder = new BartDecoder(
                new BartStack(w, prefix + "decoder.", BartStack.Config.read(f, "decoder", false), true),
                shared,
                scale,
                positions(w, prefix + "decoder."),
                OFFSET,
                w.layerNorm(prefix + "decoder.layernorm_embedding", -1, width, true, 1e-5),
                dropout);
    }

    /** Returns the name of the stored table of tokens. Files may have it under the name of only one of its uses. */
    private static String stored(Weights w, String prefix, String table) {
        for (String name : List.of(table, prefix + "encoder.embed_tokens", prefix + "decoder.embed_tokens")) {
            if (w.has(name + ".weight")) {
                return name + ".weight";
            }
        }
        return table + ".weight";
    }

    private Embedding positions(Weights w, String prefix) {
        return w.embedding(prefix + "embed_positions", size.positions() + OFFSET, size.hidden());
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        Inputs answer = in.decoder();
        Inputs target = answer == null ? in.shiftedRight(start) : answer;
        Tensor last = decoder.hidden(target, () -> encode(in, pass.encoder()), pass);
        if (answer == null) {
            pass.context().setInputs(in.mask());
        }
        return pass.result(last);
    }

    private BartDecoder.Encoded encode(Inputs in, ForwardPass pass) {
        Tensor h = pass.segment(() -> {
            InputEmbeddings embeddings = InputEmbeddings.of(shared, in, scale, encoder.small(), pass);
            Tensor places = Ops.plusLong(embeddings.positions(), OFFSET).expand(in.rows(), -1);
            Tensor sum =
                    embeddings.rows().add(Ops.to(pass.hooks().embedding(positions, places, pass), encoder.small()));
            return new Tensor[] {Dropout.apply(pass.hooks().norm(norm, sum, pass), dropout, pass.isTraining())};
        })[0];
        AttentionMask mask = AttentionMask.of(encoder.first(), false, encoder.base(), pass);
        return new BartDecoder.Encoded(
                encoder.run(h, mask, null, pass), pass.context().mask());
    }

    @Override
    public Inputs dummyInputs(long[][] ids) {
        return Inputs.of(ids).withDecoder(Inputs.of(ids));
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(shared, positions));
        sites.addAll(encoder.sites());
        sites.addAll(List.of(norm, decoder.positions()));
        sites.addAll(decoder.stack().sites());
        Norm own = decoder.norm();
        if (own != null) {
            sites.add(own);
        }
        return sites;
    }

    @Override
    public Size size() {
        return size;
    }

    /** Reads {@code model_type: bart}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "bart";
        }

        @Override
        public String prefix() {
            return "model.";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_2_SEQ_LM, Task.SEQ_CLS, Task.QUESTION_ANS);
        }

        @Override
        public String classNamePrefix() {
            return "Bart";
        }

        @Override
        public Model build(Fields f, Weights w, HeadSpec spec) {
            Bart bart = new Bart(f, w, spec.task() == Task.FEATURE_EXTRACTION ? "" : prefix());
            int width = bart.hiddenSize();
            return new Model(
                    bart,
                    switch (spec.task()) {
                        case SEQ_2_SEQ_LM -> vocabulary(bart, f, w);
                        case SEQ_CLS -> EncoderDecoderHeads.sequence(f, w, spec, width);
                        case QUESTION_ANS -> EncoderDecoderHeads.answers(w, spec, width);
                        default -> new Head.NoHead(List.of());
                    });
        }

        private static Head vocabulary(Bart bart, Fields f, Weights w) {
            boolean own = w.has("lm_head.weight")
                    && (w.isOverridden("lm_head.weight") || !f.bool("tie_word_embeddings", true));
            Tensor weight =
                    own ? w.matrix("lm_head.weight", bart.size.vocab(), bart.hiddenSize()) : bart.shared.weight();
            Head head = new Head.PerToken(new Linear("lm_head", Role.HEAD, -1, weight, null));
            if (!w.has("final_logits_bias")) {
                return head;
            }
            Tensor bias = w.buffer("final_logits_bias", w.numerics().small(), 1, bart.size.vocab());
            try (Scope scope = new Scope()) {
                return Tensors.item(bias.abs().max()) == 0 ? head : new Head.Biased(head, bias);
            }
        }
    }
}
