package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Backbone;
import dev.graft.models.Task;
import dev.graft.models.attention.AttentionMask;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.functions.Activation;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Whisper (Radford et al., 2022): two convolutions embed a spectrogram, an encoder of pre-norm BART layers reads it, and a decoder writes the
 * transcript.
 */
public final class Whisper implements Backbone {
    private final Size size;
    private final int bands;
    private final int heard;
    private final Convolution first;
    private final Convolution second;
    private final Embedding positions;
    private final BartStack encoder;
    private final BartDecoder decoder;
    private final double dropout;

    private Whisper(Fields f, Weights w, String prefix) {
        int width = f.integer("d_model");
        size = new Size(
                f.integer("vocab_size"),
                width,
                f.integer("encoder_layers"),
                BertEncoder.heads(f, "encoder_attention_heads", "d_model"),
                f.integer("max_target_positions"));
        if (f.bool("scale_embedding", false)) {
            // The reference reads it and scales nothing.
            throw f.invalid("scale_embedding", "false: no Whisper scales its embeddings");
        }
        bands = f.integer("num_mel_bins", 80, 1);
        heard = f.integer("max_source_positions", 1500, 1);
        dropout = f.number("dropout", 0, 0, 1);
        first = convolution(w, prefix + "encoder.conv1", bands, 1);
        second = convolution(w, prefix + "encoder.conv2", width, 2);
        positions = w.embedding(prefix + "encoder.embed_positions", heard, width);
        encoder = new BartStack(w, prefix + "encoder.", BartStack.Config.read(f, "encoder", true), false);
        String table = prefix + "decoder.embed_tokens";
        // No prompt goes before these: what it would come before is sound.
        Embedding tokens = new Embedding(
                table, w.matrix(table + ".weight", size.vocab(), width), false, Embedding.padding(f, 50256));
        decoder = new BartDecoder(
                new BartStack(w, prefix + "decoder.", BartStack.Config.read(f, "decoder", true), true),
                tokens,
                1,
                w.embedding(prefix + "decoder.embed_positions", size.positions(), width),
                0,
                null,
                dropout);
    }

    private Convolution convolution(Weights w, String name, int in, long stride) {
        return new Convolution(
                name,
                Role.PATCH,
                -1,
                w.kernels(name + ".weight", size.hidden(), in, 3),
                w.bias(name + ".bias", size.hidden()),
                new Convolution.Geometry(List.of(stride), List.of(1L), List.of(1L), 1));
    }

    @Override
    public HiddenStates forward(Inputs in, ForwardPass pass) {
        return pass.result(decoder.hidden(in.decoderInputs(), () -> encode(in, pass.encoder()), pass));
    }

    private BartDecoder.Encoded encode(Inputs in, ForwardPass pass) {
        Tensor spectrogram = in.spectrogram(bands, 2L * heard);
        Tensor once = LayerOps.activate(pass, Activation.GELU, LayerOps.convolution(pass, first, spectrogram));
        Tensor twice = LayerOps.activate(pass, Activation.GELU, LayerOps.convolution(pass, second, once));
        Tensor h = pass.segment(() -> {
            Tensor rows = Ops.to(twice, encoder.small()).transpose(1, 2);
            Tensor places = Tensors.arange(heard).unsqueeze(0);
            Tensor sum = rows.add(Ops.to(pass.hooks().embedding(positions, places, pass), encoder.small()));
            return new Tensor[] {Dropout.apply(sum, dropout, pass.isTraining())};
        })[0];
        pass.context().setInputs(Tensors.ones(ScalarType.Long, spectrogram.size(0), heard));
        AttentionMask mask = AttentionMask.of(encoder.first(), false, encoder.base(), pass);
        return new BartDecoder.Encoded(encoder.run(h, mask, null, pass), null);
    }

    @Override
    public int bands() {
        return bands;
    }

    @Override
    public Inputs dummyInputs(long[][] ids) {
        Tensor noise = Rng.of(0, "trial").normal(0, 0.3, ids.length, 1, bands, 2L * heard);
        return Inputs.images(noise).withDecoder(Inputs.of(ids));
    }

    @Override
    public List<Site> sites() {
        List<Site> sites = new ArrayList<>(List.of(first, second, positions));
        sites.addAll(encoder.sites());
        sites.addAll(List.of(decoder.tokens(), decoder.positions()));
        sites.addAll(decoder.stack().sites());
        return sites;
    }

    @Override
    public Size size() {
        return size;
    }

    /** Reads {@code model_type: whisper}. */
    public static final class Family implements Architecture {
        @Override
        public String modelType() {
            return "whisper";
        }

        @Override
        public String prefix() {
            return "model.";
        }

        @Override
        public Set<Task> tasks() {
            return EnumSet.of(Task.FEATURE_EXTRACTION, Task.SEQ_2_SEQ_LM);
        }

        @Override
        public String classNamePrefix() {
            return "Whisper";
        }

        @Override
        public Model build(Fields f, Weights w, HeadSpec spec) {
            boolean writes = spec.task() == Task.SEQ_2_SEQ_LM;
            Whisper whisper = new Whisper(f, w, writes ? prefix() : "");
            if (!writes) {
                return new Model(whisper, new Head.NoHead(List.of()));
            }
            Tensor weight = w.isOverridden("proj_out.weight")
                    ? w.matrix("proj_out.weight", whisper.size.vocab(), whisper.hiddenSize())
                    : whisper.decoder.tokens().weight();
            return new Model(whisper, new Head.PerToken(new Linear("proj_out", Role.HEAD, -1, weight, null)));
        }
    }
}
