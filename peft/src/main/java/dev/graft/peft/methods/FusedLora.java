package dev.graft.peft.methods;

import dev.graft.formats.InputException;
import dev.graft.models.Pass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.inits.Factors;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * AdapterHub's LoRA and (IA)³ on one layer that makes queries, keys and values, as GPT-2 has it: the parts that are adapted have their rows of
 * {@code A [r · parts, in]}, {@code B [out / 3 · parts, r]} or {@code l [out / 3 · parts]}, and a gate each.
 */
final class FusedLora {
    private static final List<String> PARTS = List.of("q", "k", "v");

    private FusedLora() {}

    static Effect of(Grafter g, Linear site, AdapterHubLora method) {
        if (site.out() != 3 * site.in() || g.base().backbone().fusesByHead()) {
            throw new InputException(site.name() + " doesn't make all queries, then as many keys and values, so"
                    + " AdapterHub's LoRA has no names for its parts; use lora");
        }
        if (method.dora() || method.vera() != null) {
            throw new InputException("use_dora or vera_d is set, but " + site.name()
                    + " makes queries, keys and values in one layer, on which AdapterHub has neither");
        }
        List<Integer> parts = new ArrayList<>();
        for (String name : PARTS) {
            if (method.attention().contains(name)) {
                parts.add(PARTS.indexOf(name));
            }
        }
        String at = site.name() + ".loras.*.";
        long size = site.out() / 3;
        int n = parts.size();
        Gate gate = method.gated()
                ? Gate.of(g, at + "gate", n, site.in(), Initial.normal(0.02), Initial.uniform(1 / Math.sqrt(site.in())))
                : null;
        if (method.scale()) {
            return new Scaled(g.parameter(at + "lora_B", method.start().b(), size * n, 1), parts, size, gate);
        }
        int r = method.r();
        return new Added(
                g.parameter(at + "lora_A", method.start().a(), (long) r * n, site.in()),
                g.parameter(at + "lora_B", method.start().b(), size * n, r),
                parts,
                r,
                size,
                method.alpha() / r,
                method.dropout(),
                gate);
    }

    private record Added(
            Tensor a,
            Tensor b,
            List<Integer> parts,
            int r,
            long size,
            double s,
            double dropout,
            @Nullable Gate gate) implements Effect.Delta {
        private Tensor down(int part) {
            return a.narrow(0, (long) part * r, r);
        }

        private Tensor up(int part) {
            return b.narrow(0, part * size, size);
        }

        @Override
        public Tensor apply(Tensor x, Pass pass) {
            Tensor input = Ops.dropout(x, dropout, pass.isTraining());
            Tensor gates = gate == null ? null : Ops.to(gate.of(x), x.scalar_type());
            Tensor[] whole = new Tensor[3];
            for (int i = 0; i < parts.size(); i++) {
                Tensor narrow = Ops.linear(input, Ops.to(down(i), x.scalar_type()), null);
                Tensor change = Ops.linear(narrow, Ops.to(up(i), x.scalar_type()), null);
                whole[parts.get(i)] = gates == null ? Ops.scale(change, s) : change.mul(gates.narrow(-1, i, 1));
            }
            return filled(whole, whole[parts.get(0)], -1, 0);
        }

        @Override
        public @Nullable Tensor weight() {
            Factors factors = factors();
            return factors == null ? null : factors.b().matmul(factors.a());
        }

        /** Each part's B in its own rows and columns. */
        @Override
        public @Nullable Factors factors() {
            if (gate != null) {
                return null;
            }
            Tensor[] columns = new Tensor[parts.size()];
            for (int i = 0; i < columns.length; i++) {
                Tensor[] whole = new Tensor[3];
                whole[parts.get(i)] = Ops.scale(up(i), s);
                columns[i] = filled(whole, up(i), 0, 0);
            }
            return new Factors(a, Ops.cat(1, columns));
        }
    }

    private record Scaled(
            Tensor l,
            List<Integer> parts,
            long size,
            @Nullable Gate gate) implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            throw new InputException("(IA)³ on a layer of queries, keys and values can't be merged; use ia3");
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, Pass pass) {
            Tensor y = inner.apply(x, pass);
            Tensor gates = gate == null ? null : gate.of(x);
            Tensor[] whole = new Tensor[3];
            for (int i = 0; i < parts.size(); i++) {
                Tensor own = l.view(-1).narrow(0, i * size, size);
                whole[parts.get(i)] = gates == null ? own : own.mul(gates.narrow(-1, i, 1));
            }
            return y.mul(Ops.to(filled(whole, whole[parts.get(0)], -1, 1), y.scalar_type()));
        }
    }

    /** The three parts along a dimension; those that aren't adapted are constant. */
    private static Tensor filled(Tensor[] parts, Tensor like, long dim, double constant) {
        Tensor rest = Ops.plus(Tensors.zeros(like.scalar_type(), Tensors.shape(like)), constant);
        for (int i = 0; i < parts.length; i++) {
            parts[i] = parts[i] == null ? rest : parts[i];
        }
        return Ops.cat(dim, parts);
    }
}
