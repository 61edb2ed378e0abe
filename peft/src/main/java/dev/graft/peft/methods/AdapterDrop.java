package dev.graft.peft.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdapterDrop (Rücklé et al., 2021): a way of training one of AdapterHub's methods, in which the adapter doesn't act in the lowest n layers
 * of a step. n is drawn anew for every step, from 0 to the given number, so that the adapter works with any of them left out later; or it is
 * always that number. Layers without an adapter cost nothing and are the same for all adapters of a base.
 *
 * <p>Trained, the start and the files are those of the method inside: its folder is what is saved. At inference
 * {@code Selection.of(adapter).skipping(layers)} leaves layers out, as AdapterHub's {@code skip_layers}. Doesn't merge. Use it where adapters
 * must be quick, and several are asked about the same text.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new AdapterDrop(Pfeiffer.DEFAULT, 5, false), 42);
 * Selection quick = Selection.of(adapter).skipping(Set.of(0, 1, 2));
 * }</pre>
 *
 * @param inside the method
 * @param layers how many of the lowest layers go without it at most
 * @param fixed whether always that many do
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
        g.actFrom(g.buffer("adapter_drop", false, Initial.ZEROS, 1));
    }

    @Override
    public TrainingRule training(Adapter adapter, TrainingRule.Run run) {
        if (inside.training(adapter, run) != TrainingRule.NONE) {
            throw new InputException(inside.type().name() + " has a training of its own, so it can't drop layers");
        }
        Tensor first = adapter.value("adapter_drop");
        return new TrainingRule() {
            @Override
            public void beforeStep(long step) {
                set(fixed ? layers : Rng.of(run.seed(), "adapter drop " + step).below(layers + 1));
            }

            @Override
            public boolean isWhole() {
                return Tensors.item(first) == 0;
            }

            @Override
            public void afterUpdate(long step, double learningRate) {
                set(0);
            }

            private void set(int layer) {
                try (NoGrad off = new NoGrad()) {
                    first.fill_(new Scalar((double) layer));
                }
            }
        };
    }

    @Override
    public Method saved(Adapter adapter) {
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
            return new Capabilities(false, false, true, true);
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
            f.informational("architecture");
            return new AdapterDrop(
                    Union.part(f.object("inside"), f.node("inside"), base),
                    f.integer("layers", 1, 1),
                    f.bool("fixed", false));
        }
    }
}
