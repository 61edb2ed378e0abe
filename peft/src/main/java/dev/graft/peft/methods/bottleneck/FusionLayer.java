package dev.graft.peft.methods.bottleneck;

import dev.graft.models.sites.Block;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The fusion of several stacks of bottlenecks after one block.
 *
 * @param children the stack of each, mostly of one
 */
record FusionLayer(
        FusionSettings settings,
        List<List<BottleneckLayer>> children,
        @Nullable Linear query,
        @Nullable Linear key,
        @Nullable Linear value,
        @Nullable Tensor temperature,
        double dropout)
        implements Effect.Bottleneck {

    private record Linear(Tensor weight, @Nullable Tensor bias) {
        Tensor of(Tensor x) {
            return Ops.linear(x, weight, bias);
        }
    }

    static FusionLayer of(
            Grafter g,
            Block block,
            String name,
            FusionSettings s,
            List<List<BottleneckLayer>> children,
            @Nullable Tensor temperature,
            double dropout) {
        String at = block.name() + ".adapter_fusion_layer." + name + ".";
        long hidden = block.hidden();
        Initializer identity = (rng, shape) ->
                Ops.plus(torch.eye(hidden).mul(Ops.plus(Tensors.zeros(torch.ScalarType.Float, 1), 1 - 1e-6)), 1e-6);
        return new FusionLayer(
                s,
                List.copyOf(children),
                s.query() ? linear(g, at + "query", hidden) : null,
                s.key() ? linear(g, at + "key", hidden) : null,
                s.value()
                        ? new Linear(
                                g.parameter(
                                        at + "value.weight",
                                        s.identity() ? identity : Initializer.normal(0.02),
                                        hidden,
                                        hidden),
                                null)
                        : null,
                temperature,
                dropout);
    }

    private static Linear linear(Grafter g, String at, long hidden) {
        return new Linear(
                g.parameter(at + ".weight", Initializer.normal(0.02), hidden, hidden),
                g.parameter(at + ".bias", Initializer.ZEROS, hidden));
    }

    @Override
    public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, PassView pass) {
        BottleneckLayer last = top(children.get(children.size() - 1));
        boolean parallel = last.config().parallel();
        Tensor z = last.input(residual, output, norm);
        Tensor r = parallel ? residual : last.skip(residual, output, z);
        // Results before gates and norms of their own, as AdapterHub takes them: [batch, seq, adapters, hidden].
        Tensor a = torch.stack(
                Tensors.vector(children.stream()
                        .map(stack -> up(stack, residual, z, norm, pass))
                        .toList()),
                2);
        if (settings.residualFirst()) {
            a = a.add(r.unsqueeze(2));
        }
        Tensor from = settings.queryBeforeNorm() && !parallel ? output : z;
        Tensor q = query == null ? from : query.of(from);
        Tensor k = key == null ? a : key.of(a);
        Tensor scores = Dropout.apply(k.matmul(q.unsqueeze(-1)).squeeze(-1), dropout, pass.isTraining());
        Tensor cooled = temperature == null ? scores : scores.div(Ops.to(temperature, scores.scalar_type()));
        Tensor weights = cooled.softmax(-1).unsqueeze(-1);
        Tensor o;
        if (value != null && !settings.valueFirst()) {
            o = value.of(Ops.sum(weights.mul(a), 2, false));
        } else {
            o = Ops.sum(weights.mul(value == null ? a : value.of(a)), 2, false);
        }
        Tensor y = settings.residualFirst() ? o : o.add(r);
        return last.finished(residual, parallel ? y.add(output) : y);
    }

    private static BottleneckLayer top(List<BottleneckLayer> stack) {
        return stack.get(stack.size() - 1);
    }

    /**
     * Returns the result of the last bottleneck of a stack on the others' result for z. AdapterHub passes the block's
     * output to the first one.
     */
    private static Tensor up(
            List<BottleneckLayer> stack, Tensor residual, Tensor z, UnaryOperator<Tensor> norm, PassView pass) {
        if (stack.size() == 1) {
            return top(stack).up(z, pass);
        }
        Tensor read = z;
        for (BottleneckLayer lower : stack.subList(0, stack.size() - 1)) {
            read = lower.apply(residual, read, norm, pass);
        }
        return top(stack).up(top(stack).input(residual, read, norm), pass);
    }
}
