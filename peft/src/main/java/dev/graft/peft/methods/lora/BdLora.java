package dev.graft.peft.methods.lora;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * BD-LoRA (Wang et al., 2025): LoRA in which A or B is block-diagonal, {@code A = diag(A₁ … Aₙ)} with blocks {@code [r/n, in/n]}, or likewise B
 * with blocks {@code [out/n, r/n]}, so a server that splits layers among n devices needs no communication for the update.
 *
 * <p>Trained: r · (in/n + out) where A is block-diagonal, r · (in + out/n) where B is, r · (in + out) elsewhere. Starts as LoRA; files hold the
 * blocks one above another, {@code lora_A.weight [r, in/n]} or {@code lora_B.weight [out, r/n]}. Merges: {@code W + s · B A}. It has no
 * embeddings and only the starts {@code true}, {@code false} and {@code gaussian}. Use it if adapters are served on several devices.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new BdLora(LoraConfig.DEFAULT, 2, List.of("o_proj", "down_proj"), List.of("q_proj"), false), 42);
 * }</pre>
 *
 * @param blocks n
 * @param forA the modules with a block-diagonal A, as parts of module names; null if the file has no such field
 * @param forB the modules with a block-diagonal B, likewise
 * @param strict whether every target must be in one of the lists
 */
public record BdLora(
        LoraConfig config,
        int blocks,
        @Nullable List<String> forA,
        @Nullable List<String> forB,
        boolean strict) implements LoraVariant {
    /**
     * Two blocks: of B for the input projections of attention and feed-forward blocks, of A for their output
     * projections.
     */
    public static final BdLora DEFAULT = new BdLora(
            LoraConfig.DEFAULT,
            2,
            List.of("o_proj", "down_proj"),
            List.of("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"),
            false);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public BdLora with(LoraConfig newConfig) {
        return new BdLora(newConfig, blocks, forA, forB, strict);
    }

    @Override
    public Effect effectAt(Grafter g, Linear site) {
        boolean cutsA = isIn(forA, site.name());
        boolean cutsB = isIn(forB, site.name());
        if (cutsA && cutsB) {
            throw new InputException(
                    "use_bdlora: " + site.name() + " is in both target_modules_bd_a and target_modules_bd_b");
        }
        if (!cutsA && !cutsB) {
            if (strict) {
                throw new InputException("use_bdlora: " + site.name()
                        + " is in neither target_modules_bd_a nor target_modules_bd_b and match_strict is true");
            }
            return LowRank.of(g, site, config);
        }
        int r = config.rank(site.name());
        String start = config.init().name();
        if (!List.of("true", "false", "gaussian").contains(start)) {
            throw new InputException(
                    "init_lora_weights is " + start + ", expected true, false or gaussian with BD-LoRA");
        }
        requireDivides(r, "r", site);
        requireDivides(cutsA ? site.in() : site.out(), cutsA ? "the inputs" : "the outputs", site);
        Initializer down = start.equals("gaussian") ? Initializer.normal(1.0 / r) : Initializer.KAIMING;
        Initializer up = start.equals("false") ? Initializer.KAIMING : Initializer.ZEROS;
        Tensor a = g.parameter(site, "lora_A.weight", down, r, cutsA ? site.in() / blocks : site.in());
        Tensor b = g.parameter(site, "lora_B.weight", up, site.out(), cutsB ? r / blocks : r);
        Tensor bias = config.loraBias() ? g.parameter(site, "lora_B.bias", Initializer.ZEROS, site.out()) : null;
        double s = config.scaling(site.name());
        return new Blocks(a, cutsA ? blocks : 1, b, cutsB ? blocks : 1, bias, s, config.dropout());
    }

    private void requireDivides(long size, String what, Linear site) {
        if (size % blocks != 0) {
            throw new InputException("use_bdlora: nblocks is " + blocks + ", which doesn't divide " + what + " (" + size
                    + ") of " + site.name());
        }
    }

    /** Returns whether an entry is anywhere in the name, as in PEFT. */
    private static boolean isIn(@Nullable List<String> parts, String module) {
        return parts != null && parts.stream().anyMatch(module::contains);
    }

    /** The update with A in {@code cutsA} blocks and B in {@code cutsB}. */
    private record Blocks(
            Tensor a,
            int cutsA,
            Tensor b,
            int cutsB,
            @Nullable Tensor bias,
            double scaling,
            double dropout) implements Effect.Delta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            Tensor narrow = times(Dropout.apply(x, dropout, pass.isTraining()), a, cutsA);
            Tensor y = Ops.scale(times(narrow, b, cutsB), scaling);
            return bias == null ? y : y.add(Ops.to(Ops.scale(bias, scaling), y.scalar_type()));
        }

        /** {@code diag(M₁ … Mₙ) x} for blocks {@code [out/n, in/n]} one above another. */
        private static Tensor times(Tensor x, Tensor stacked, int n) {
            ScalarType type = x.scalar_type();
            if (n == 1) {
                return Ops.linear(x, Ops.to(stacked, type), null);
            }
            long[] shape = Tensors.shape(x);
            Tensor blocks = Ops.to(stacked, type).view(n, stacked.size(0) / n, stacked.size(1));
            Tensor parts = x.reshape(-1, n, stacked.size(1)).transpose(0, 1);
            shape[shape.length - 1] = stacked.size(0);
            return parts.bmm(blocks.transpose(1, 2)).transpose(0, 1).reshape(shape);
        }

        @Override
        public Tensor weight() {
            return Ops.scale(whole(b, cutsB).matmul(whole(a, cutsA)), scaling);
        }

        private static Tensor whole(Tensor stacked, int n) {
            return n == 1 ? stacked : torch.block_diag(stacked.chunk(n, 0));
        }

        @Override
        public @Nullable Tensor bias() {
            return bias == null ? null : Ops.scale(bias, scaling);
        }
    }

    @Override
    public void writeOwn(ObjectNode json) {
        ObjectNode c = json.putObject("use_bdlora");
        put(c, "target_modules_bd_a", forA);
        put(c, "target_modules_bd_b", forB);
        c.put("nblocks", blocks);
        c.put("match_strict", strict);
    }

    private static void put(ObjectNode c, String field, @Nullable List<String> parts) {
        if (parts == null) {
            c.putNull(field);
        } else {
            ArrayNode array = c.putArray(field);
            parts.forEach(array::add);
        }
    }

    /** Registers {@code bd-lora}. */
    public static final class Kind extends LoraVariant.Kind {
        static final Kind INSTANCE = new Kind();

        public Kind() {
            super("bd-lora", LoraMark.value("use_bdlora"));
        }

        @Override
        public String summary() {
            return "LoRA with block-diagonal matrices, for serving on several devices";
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        protected LoraVariant read(LoraConfig shared, Fields config, Base base) {
            Fields f = config.object("use_bdlora");
            return new BdLora(
                    shared,
                    f.integer("nblocks", 1, 1),
                    f.stringsOrNull("target_modules_bd_a"),
                    f.stringsOrNull("target_modules_bd_b"),
                    f.bool("match_strict", true));
        }
    }
}
