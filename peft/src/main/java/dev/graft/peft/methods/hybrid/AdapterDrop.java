package dev.graft.peft.methods.hybrid;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdapterDrop (Rücklé et al., 2021): a way of training one of AdapterHub's methods, in which the adapter has no effect in the lowest n layers of
 * a step. n is drawn for every step, from 0 to the given number, so the adapter works without any of them later; or n is fixed. Layers without an
 * adapter cost nothing and are the same for all adapters of a base.
 *
 * <p>Trained, the start and the files are those of the method inside: its folder is what is saved. At inference
 * {@code Selection.of(adapter).skipping(layers)} leaves layers out, as AdapterHub's {@code skip_layers}. Doesn't merge. Use it if adapters must
 * be fast and several read the same text.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new AdapterDrop(Pfeiffer.DEFAULT, 5, false), 42);
 * Selection quick = Selection.of(adapter).skipping(Set.of(0, 1, 2));
 * }</pre>
 *
 * @param inside the method
 * @param layers the maximum number of lowest layers without it
 * @param fixed whether it is always that number
 */
public record AdapterDrop(Method inside, int layers, boolean fixed) implements Method {
    /** A Pfeiffer adapter, up to one layer. */
    public static final AdapterDrop DEFAULT = new AdapterDrop(Pfeiffer.DEFAULT, 1, false);

    public AdapterDrop {
        if (inside.type().layout() != Layout.ADAPTER_HUB || inside instanceof AdapterDrop) {
            throw new InputException("inside is " + inside.type().name() + ", expected another method of AdapterHub's");
        }
        if (layers < 1) {
            throw new InputException("layers is " + layers + ", expected at least 1");
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        int all = g.base().backbone().layers();
        if (layers >= all) {
            throw new InputException(
                    "layers is " + layers + ", but " + g.base().name() + " has only " + all + ": expected fewer");
        }
        inside.graft(g);
        g.setFirstLayer(g.buffer("adapter_drop", false, Initializer.ZEROS, 1));
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        if (inside.trainingRule(adapter, run) != TrainingRule.NONE) {
            throw new InputException(inside.type().name() + " has a training of its own, so it can't drop layers");
        }
        Tensor first = adapter.value("adapter_drop");
        return new TrainingRule() {
            @Override
            public void beforeStep(long step) {
                set(fixed ? layers : Rng.of(run.seed(), "adapter drop " + step).nextInt(layers + 1));
            }

            @Override
            public boolean trainsAllParameters() {
                return Tensors.item(first) == 0;
            }

            @Override
            public void afterUpdate(long step, double learningRate) {
                set(0);
            }

            private void set(int layer) {
                try (NoGrad noGrad = new NoGrad()) {
                    first.fill_(new Scalar((double) layer));
                }
            }
        };
    }

    @Override
    public Method savedMethod(Instance adapter) {
        return inside;
    }

    @Override
    public void write(ObjectNode c, Base base) {
        c.put("architecture", "adapter_drop");
        c.put("layers", layers);
        c.put("fixed", fixed);
        ObjectNode method = c.putObject("inside");
        method.put("method", inside.type().name());
        inside.write(method, base);
    }

    /** Registers {@code adapter-drop}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "adapter-drop";
        }

        @Override
        public String summary() {
            return "trains an adapter so that it needn't act in the lowest layers";
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
            return "adapter_drop";
        }

        @Override
        public Method read(Fields f, Base base) {
            f.ignore("architecture");
            return new AdapterDrop(
                    MethodList.part(f.object("inside"), f.node("inside"), base),
                    f.integer("layers", 1, 1),
                    f.bool("fixed", false));
        }
    }
}
