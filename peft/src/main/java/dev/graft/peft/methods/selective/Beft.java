package dev.graft.peft.methods.selective;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Tape;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * BEFT (2025): an additional trained bias on a few linear layers, {@code y = W x + b + b'}; by default on the value projections only, the most
 * effective ones in the paper. Unlike BitFit it supports bases without biases.
 *
 * <p>Trained: out for a linear layer. b' starts at zero, so a new adapter changes nothing. Files: {@code <module>.beft_bias [1, out]}. Merges
 * into b; the merge is refused if the base has no b. Use it on very small data.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Beft(TargetModules.names("v_proj"), true), 42);
 * }</pre>
 *
 * @param startAtZero false for a random start
 */
public record Beft(TargetModules targets, boolean startAtZero) implements Method {
    /** The value projections, from zero. */
    public static final Beft DEFAULT = new Beft(TargetModules.DEFAULT, true);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Initializer initializer = startAtZero ? Initializer.ZEROS : Initializer.normal(1);
        for (Linear site : g.linears(targets.isDefault() ? values(g.base()) : targets, "BEFT")) {
            g.add(site, new Bias(g.parameter(site, "beft_bias", initializer, 1, site.out()), site.in()));
        }
    }

    private TargetModules values(Base base) {
        List<String> names = base.sites().stream()
                .filter(site -> site instanceof Linear linear && linear.role() == Role.VALUE)
                .filter(site -> targets.layers() == null || targets.layers().contains(site.layer()))
                .map(site -> site.name())
                .toList();
        if (names.isEmpty()) {
            throw new InputException("target_modules is not given, and " + base.name()
                    + " has no value projections of their own to choose; name the layers");
        }
        return targets.withNames(names);
    }

    private record Bias(Tensor value, long in) implements Effect.Delta, Effect.ManualGradientDelta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            long[] shape = Tensors.shape(x);
            shape[shape.length - 1] = value.size(1);
            return Ops.to(value.view(-1), x.scalar_type()).expand(shape);
        }

        @Override
        public Tensor weight() {
            return Tensors.zeros(value.scalar_type(), 1, 1).expand(value.size(1), in);
        }

        @Override
        public Tensor bias() {
            return value.view(-1);
        }

        @Override
        public Effect.ManualGradientDelta manualGradient() {
            return this;
        }

        @Override
        public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
            Tensor row = Ops.to(value.view(1, -1), x.scalar_type());
            return List.of(sum == null ? row.repeat(x.size(0), 1) : sum.add_(row));
        }

        @Override
        public int kept() {
            return 0;
        }

        @Override
        public void backward(Tensor x, Tensor gradient, List<Tensor> kept, @Nullable Tensor dx) {
            Tape.accumulate(value, Ops.sum(gradient, 0, true));
        }
    }

    @Override
    public void write(ObjectNode json, Base base) {
        ObjectNode chosen = json.objectNode();
        targets.write(chosen);
        // PEFT has no field but the first; biases that it doesn't find are zero, so the result is the same.
        chosen.properties().forEach(field -> {
            if (field.getKey().equals("target_modules") || !field.getValue().isNull()) {
                json.set(field.getKey(), field.getValue());
            }
        });
        json.put("init_weights", startAtZero);
    }

    /** Registers {@code beft}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "beft";
        }

        @Override
        public String summary() {
            return "adds a trained bias to value projections or other layers";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "BEFT";
        }

        @Override
        public double rateFactor() {
            return 10;
        }

        @Override
        public Method read(Fields f, Base base) {
            return new Beft(TargetModules.read(f), f.bool("init_weights", true));
        }
    }
}
