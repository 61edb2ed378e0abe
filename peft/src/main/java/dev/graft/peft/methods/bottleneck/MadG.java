package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.tensor.Ops;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * MAD-G (Ansell et al., 2021): one adapter for many languages, whose bottlenecks are computed from a description of the language. With
 * {@code t_lang [n]} its typological vector, such as the 289 features of URIEL, and an embedding of the layer,
 *
 * <pre>{@code
 * c = [E t_lang; z_layer]        θ = G c
 * y = LN(x + h + U σ(D z + d) + u)        z = LN(x + h);  D, d, U, u cut out of θ
 * }</pre>
 *
 * behind every feed-forward block, {@code E [e, n]}, {@code z_layer [l]}, {@code D [m, hidden]}, m = hidden / reduction; LN is the identity where
 * the model normalises before its blocks. {@code adapter.task(i)} selects the language, per row of a batch if necessary. Languages without
 * training data have adapters too; languages with similar features have similar adapters.
 *
 * <p>Trained: e · n + layers · l + (e + l) · (2 · hidden · m + m + hidden), for any number of languages. E starts normal with deviation 1 / √n, z
 * normal with deviation 1 and G with 0.02 / √(e + l), so the computed values resemble those of a new {@link Pfeiffer} adapter. Files, in
 * AdapterHub's layout under names of Graft's own: {@code madg.NAME.{languages,projection,layers,generator.weight}}. Doesn't merge. Use it for
 * language adapters if some languages have little or no text.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, MadG.DEFAULT.withLanguages(vectors), 42);
 * Selection selection = Selection.of(adapter.task(2));
 * }</pre>
 *
 * @param languages a typological vector for each language, all of one size
 * @param embedding e
 * @param layerEmbedding l
 * @param reduction hidden / m
 * @param activation σ by AdapterHub's name
 */
@RecordBuilder
public record MadG(List<List<Double>> languages, int embedding, int layerEmbedding, double reduction, String activation)
        implements Method, MadGBuilder.With {
    /** One language with one feature, 32 numbers for it and 32 for the layer, hidden / 16. */
    public static final MadG DEFAULT = new MadG(List.of(List.of(1.0)), 32, 32, 16, "relu");

    public MadG {
        languages = languages.stream().map(List::copyOf).toList();
        if (languages.isEmpty() || languages.get(0).isEmpty()) {
            throw new InputException("languages is empty, expected a vector for each language");
        }
        FixedTensor.requireSize(
                "languages", languages, languages.size(), languages.get(0).size());
        if (embedding < 1 || layerEmbedding < 1) {
            throw new InputException("embedding_size is " + embedding + " and layer_embedding_size is " + layerEmbedding
                    + ", expected at least 1");
        }
        if (!(reduction > 0 && Double.isFinite(reduction))) {
            throw new InputException("reduction_factor is " + reduction + ", expected a number above 0");
        }
        AdapterHubFields.activation(activation);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        String at = AdapterHubFields.root(g.base()) + "madg.*.";
        long hidden = g.base().backbone().hiddenSize();
        long features = languages.get(0).size();
        long from = (long) embedding + layerEmbedding;
        HyperNetwork network = new HyperNetwork(
                g.frozen(at + "languages", FixedTensor.initializer(languages), languages.size(), features),
                g.parameter(at + "projection", Initializer.normal(1 / Math.sqrt(features)), embedding, features),
                g.parameter(
                        at + "layers",
                        Initializer.normal(1),
                        g.base().backbone().layers(),
                        layerEmbedding),
                BottleneckGenerator.of(
                        g,
                        at + "generator",
                        from,
                        hidden,
                        Math.max(1, BottleneckWidth.of(hidden, reduction)),
                        false,
                        false,
                        0.02 / Math.sqrt(from)));
        int language = g.task(languages.size());
        for (Site site : g.base().sites()) {
            if (site instanceof Block block && block.kind() == Block.Kind.FEED_FORWARD) {
                g.add(
                        block,
                        new GeneratedBottleneck(
                                network, language, block.layer(), AdapterHubFields.activation(activation)));
            }
        }
    }

    private record HyperNetwork(Tensor languages, Tensor projection, Tensor layers, BottleneckGenerator generator) {
        /** Returns c, {@code [e + l]}. */
        Tensor code(int language, int layer) {
            return Ops.cat(0, projection.mv(languages.select(0, language)), layers.select(0, layer));
        }
    }

    private record GeneratedBottleneck(HyperNetwork network, int language, int layer, Activation activation)
            implements Effect.Bottleneck {
        @Override
        public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, PassView pass) {
            Tensor z = norm.apply(residual.add(output));
            return output.add(network.generator.apply(network.code(language, layer), z, activation));
        }
    }

    @Override
    public void write(ObjectNode c, Base base) {
        c.put("architecture", "madg");
        FixedTensor.write(c, "languages", languages);
        c.put("embedding_size", embedding);
        c.put("layer_embedding_size", layerEmbedding);
        AdapterHubFields.put(c, "reduction_factor", reduction);
        c.put("non_linearity", activation);
    }

    /** Registers {@code mad-g}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "mad-g";
        }

        @Override
        public String summary() {
            return "one adapter for many languages, made of what is known about each";
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
        public String tasksField() {
            return "languages";
        }

        @Override
        public String peftType() {
            return "madg";
        }

        @Override
        public double rateFactor() {
            return 0.3;
        }

        @Override
        public Method read(Fields f, Base base) {
            f.ignore("architecture");
            return new MadG(
                    FixedTensor.read(f, "languages"),
                    f.integer("embedding_size", 32, 1),
                    f.integer("layer_embedding_size", 32, 1),
                    f.number("reduction_factor", 16),
                    f.choice("non_linearity", "relu", AdapterHubFields.activations()));
        }
    }
}
