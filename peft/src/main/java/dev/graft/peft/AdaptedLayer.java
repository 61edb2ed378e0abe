package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.ManualGradient;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Products;
import dev.graft.tensor.ops.Tape;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A layer with an effect on it, which is again a layer. So effects stack in order, both forward and in a merge. */
sealed interface AdaptedLayer extends Affine {
    /** Returns the layer with the effect, or the layer itself if the effect isn't one on layers. */
    static Affine of(Site site, Affine inner, Effect effect) {
        if (effect instanceof Effect.Delta delta) {
            return new Plus(site, inner, delta);
        }
        if (effect instanceof Effect.Reweight reweight) {
            return new Reweighted(inner, reweight);
        }
        if (effect instanceof Effect.Scale scale) {
            return new Scaled((Projection) site, inner, scale);
        }
        if (effect instanceof Effect.Replace replace) {
            return new Replaced(site, inner, replace);
        }
        throw new IllegalStateException(site.name() + " can't have the effect " + effect);
    }

    /** W + ΔW. */
    record Plus(Site site, Affine inner, Effect.Delta delta) implements AdaptedLayer {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            return inner.addTo(change(x, pass), x, pass);
        }

        @Override
        public Tensor addTo(Tensor sum, Tensor x, PassView pass) {
            return inner.addTo(change(x, pass).add(sum), x, pass);
        }

        private Tensor change(Tensor x, PassView pass) {
            ScalarType type = type();
            return Ops.to(delta.apply(site instanceof Embedding ? x : Ops.to(x, type), pass), type);
        }

        private ScalarType type() {
            if (site instanceof Linear linear) {
                return linear.type();
            }
            Tensor weight = site instanceof Experts experts ? experts.weight() : ((Affine) site).weight();
            return weight.scalar_type();
        }

        @Override
        public @Nullable ManualGradient manualGradient() {
            ManualGradient layer = inner.manualGradient();
            Effect.ManualGradientDelta update = delta.manualGradient();
            return layer == null || update == null ? null : new PlusGradient(layer, update);
        }

        @Override
        public Tensor weight() {
            Tensor change = delta.weight();
            if (change == null) {
                throw new InputException(site.name() + ": this adapter has no weight update to merge");
            }
            return Ops.to(inner.weight(), change.scalar_type()).add(change);
        }

        @Override
        public @Nullable Tensor bias() {
            Tensor bias = inner.bias();
            Tensor change = delta.bias();
            if (change == null) {
                return bias;
            }
            return bias == null ? change : Ops.to(bias, change.scalar_type()).add(change);
        }
    }

    /** W + ΔW, both with gradients by formula. */
    record PlusGradient(ManualGradient inner, Effect.ManualGradientDelta update) implements ManualGradient {
        @Override
        public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
            List<Tensor> change = update.forward(x, sum);
            List<Tensor> results = new ArrayList<>(inner.forward(x, change.get(0)));
            results.addAll(change.subList(1, change.size()));
            return results;
        }

        @Override
        public @Nullable Tensor backward(
                Tensor x, Tensor gradient, List<Tensor> kept, boolean wanted, @Nullable Tensor sum) {
            int own = inner.savedCount();
            Tensor dx = inner.backward(x, gradient, kept.subList(0, own), wanted, sum);
            update.backward(x, gradient, kept.subList(own, kept.size()), dx);
            return dx;
        }

        @Override
        public int savedCount() {
            return inner.savedCount() + update.kept();
        }

        @Override
        public boolean trains() {
            return inner.trains() || update.trains();
        }
    }

    /** g(W). */
    record Reweighted(Affine inner, Effect.Reweight reweight) implements AdaptedLayer {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            return reweight.apply(inner, x, pass);
        }

        @Override
        public Tensor weight() {
            return reweight.weight(inner.weight());
        }

        @Override
        public @Nullable Tensor bias() {
            Tensor bias = inner.bias();
            return bias == null ? null : reweight.bias(bias);
        }
    }

    /** out ⊙ (W (in ⊙ x) + b). */
    record Scaled(Projection site, Affine inner, Effect.Scale scale) implements AdaptedLayer {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor in = scale.in();
            Tensor out = scale.out();
            Tensor y = inner.apply(in == null ? x : x.mul(Ops.to(site.onFeatures(in), x.scalar_type())), pass);
            return out == null ? y : y.mul(Ops.to(site.onFeatures(out), y.scalar_type()));
        }

        @Override
        public @Nullable ManualGradient manualGradient() {
            ManualGradient layer = inner.manualGradient();
            return layer == null || !isLeaf(scale.in()) || !isLeaf(scale.out())
                    ? null
                    : new ScaledGradient(layer, scale);
        }

        /**
         * Returns whether a gradient may be added to it. A value computed from parameters is no leaf: its graph leads
         * to them.
         */
        private static boolean isLeaf(@Nullable Tensor value) {
            return value == null || value.is_leaf();
        }

        @Override
        public Tensor weight() {
            Tensor in = scale.in();
            Tensor out = scale.out();
            Tensor weight = inner.weight();
            weight = in == null ? weight : weight.mul(site.onColumns(in));
            return out == null ? weight : weight.mul(site.onRows(out));
        }

        @Override
        public @Nullable Tensor bias() {
            Tensor bias = inner.bias();
            Tensor out = scale.out();
            return bias == null || out == null ? bias : bias.mul(out.reshape(-1));
        }
    }

    /** out ⊙ f(in ⊙ x), with gradients by formula: those of out and in are g ⊙ f(in ⊙ x) and f'(out ⊙ g) ⊙ x, summed over the rows. */
    record ScaledGradient(ManualGradient inner, Effect.Scale scale) implements ManualGradient {
        @Override
        public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
            Tensor out = scale.out();
            if (out == null) {
                return inner.forward(scaled(x, scale.in()), sum);
            }
            List<Tensor> results = new ArrayList<>(inner.forward(scaled(x, scale.in()), null));
            Tensor whole = results.get(0);
            Tensor y = scaled(whole, out);
            results.set(0, sum == null ? y : sum.add_(y));
            results.add(whole);
            return results;
        }

        @Override
        public @Nullable Tensor backward(
                Tensor x, Tensor gradient, List<Tensor> kept, boolean wanted, @Nullable Tensor sum) {
            Tensor in = scale.in();
            Tensor out = scale.out();
            if (out != null && trains(out)) {
                accumulate(out, gradient, kept.get(inner.savedCount()));
            }
            Tensor inside = scaled(gradient, out);
            List<Tensor> own = kept.subList(0, inner.savedCount());
            if (in == null) {
                return inner.backward(x, inside, own, wanted, sum);
            }
            Tensor dx = inner.backward(scaled(x, in), inside, own, wanted || trains(in), null);
            if (dx == null) {
                return null;
            }
            if (trains(in)) {
                accumulate(in, dx, x);
            }
            if (!wanted) {
                return null;
            }
            Tensor scaled = scaled(dx, in);
            return sum == null ? scaled : sum.add_(scaled);
        }

        private static Tensor scaled(Tensor x, @Nullable Tensor by) {
            return by == null ? x : x.mul(Ops.to(by.reshape(-1), x.scalar_type()));
        }

        private static void accumulate(Tensor parameter, Tensor gradient, Tensor x) {
            Tape.accumulate(parameter, Ops.sum(gradient.mul(x), 0, false).view(Tensors.shape(parameter)));
        }

        @Override
        public int savedCount() {
            return inner.savedCount() + (scale.out() == null ? 0 : 1);
        }

        @Override
        public boolean trains() {
            return inner.trains() || trains(scale.in()) || trains(scale.out());
        }

        private static boolean trains(@Nullable Tensor value) {
            return value != null && value.requires_grad();
        }
    }

    /** Other parameters. */
    record Replaced(Site site, Affine inner, Effect.Replace replace) implements AdaptedLayer {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor moved = biasChange();
            if (moved != null) {
                Tensor y = inner.apply(x, pass);
                return y.add(Ops.to(moved, y.scalar_type()));
            }
            Tensor weight = weight();
            if (site instanceof Embedding embedding) {
                return Ops.embedding(weight, x, embedding.padding());
            }
            Tensor y = ((Projection) site).apply(x, weight, bias(weight.scalar_type()));
            return Ops.to(y, inner.weight().scalar_type());
        }

        @Override
        public Tensor addTo(Tensor sum, Tensor x, PassView pass) {
            Tensor moved = biasChange();
            if (moved != null) {
                return inner.addTo(sum.add(Ops.to(moved, sum.scalar_type())), x, pass);
            }
            if (!(site instanceof Linear)) {
                return AdaptedLayer.super.addTo(sum, x, pass);
            }
            Tensor weight = weight();
            ScalarType type = weight.scalar_type();
            return Ops.to(Products.linear(Ops.to(x, type), weight, bias(type), Ops.to(sum, type)), sum.scalar_type());
        }

        /**
         * Returns the part of a layer's change that comes from a new bias alone, or null where effects change it
         * otherwise.
         */
        private @Nullable Tensor biasChange() {
            Tensor old = inner.bias();
            Tensor fresh = replace.bias();
            if (replace.weight() != null || old == null || fresh == null || !(inner instanceof AdaptedLayer)) {
                return null;
            }
            Tensor moved = fresh.sub(old);
            return site instanceof Projection projection ? projection.onFeatures(moved) : moved;
        }

        private @Nullable Tensor bias(ScalarType type) {
            Tensor bias = bias();
            return bias == null ? null : Ops.to(bias, type);
        }

        @Override
        public Tensor weight() {
            Tensor weight = replace.weight();
            if (weight == null) {
                return inner.weight();
            }
            return site instanceof Linear linear ? linear.stored(weight) : weight;
        }

        @Override
        public @Nullable Tensor bias() {
            Tensor bias = replace.bias();
            return bias == null ? inner.bias() : bias;
        }
    }

    /** A layer between two others: {@code inner + strength · (outer - inner)}. */
    record Blend(Affine inner, Affine outer, double strength) implements AdaptedLayer {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor from = inner.apply(x, pass);
            return Ops.addScaled(from, outer.apply(x, pass).sub(from), strength);
        }

        @Override
        public Tensor weight() {
            return Ops.addScaled(inner.weight(), outer.weight().sub(inner.weight()), strength);
        }

        @Override
        public @Nullable Tensor bias() {
            Tensor from = inner.bias();
            Tensor to = outer.bias();
            if (to == null) {
                return from;
            }
            return from == null ? Ops.scale(to, strength) : Ops.addScaled(from, to.sub(from), strength);
        }
    }
}
