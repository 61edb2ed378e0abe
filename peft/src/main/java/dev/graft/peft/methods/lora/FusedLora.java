package dev.graft.peft.methods.lora;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Factors;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.methods.internal.Gate;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * AdapterHub's LoRA and (IA)³ on one layer for queries, keys and values, as in GPT-2. The adapted parts have their rows
 * of {@code A [r · parts, in]}, {@code B [out / 3 · parts, r]} or {@code l [out / 3 · parts]}, and a gate each.
 *
 * @param parts indices of the adapted ones of the three
 */
record FusedLora(Linear site, List<Integer> parts, @Nullable Gate gate) {
    private static final List<String> PARTS = List.of("q", "k", "v");

    /** @param adapted which of {@code q}, {@code k}, {@code v} are adapted */
    static FusedLora of(Grafter g, Linear site, List<String> adapted, boolean gated) {
        if (site.out() != 3 * site.in() || g.base().backbone().interleavesHeads()) {
            throw new InputException(site.name() + " doesn't make all queries, then as many keys and values, so"
                    + " AdapterHub's LoRA has no names for its parts; use lora");
        }
        List<Integer> parts = IntStream.range(0, PARTS.size())
                .filter(part -> adapted.contains(PARTS.get(part)))
                .boxed()
                .toList();
        Gate gate = gated
                ? Gate.of(
                        g,
                        key(site, "gate"),
                        parts.size(),
                        site.in(),
                        Initializer.normal(0.02),
                        Initializer.uniform(1 / Math.sqrt(site.in())))
                : null;
        return new FusedLora(site, parts, gate);
    }

    /** Declares the vector of (IA)³. */
    Effect scaled(Grafter g, Initializer l) {
        long size = site.out() / 3;
        return new Scaled(g.parameter(key(site, "lora_B"), l, size * parts.size(), 1), parts, size, gate);
    }

    /** Declares the factors of LoRA. */
    Effect added(Grafter g, Initializer a, Initializer b, int r, double s, double dropout) {
        int n = parts.size();
        long size = site.out() / 3;
        return new Added(
                g.parameter(key(site, "lora_A"), a, (long) r * n, site.in()),
                g.parameter(key(site, "lora_B"), b, size * n, r),
                parts,
                r,
                size,
                s,
                dropout,
                gate);
    }

    private static String key(Linear site, String name) {
        return site.name() + ".loras.*." + name;
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
        public Tensor apply(Tensor x, PassView pass) {
            Tensor input = Dropout.apply(x, dropout, pass.isTraining());
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

        /** Returns the factors with each part's B in its own rows and columns. */
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
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
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
