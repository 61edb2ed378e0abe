package dev.graft.peft.methods.selective;

import dev.graft.formats.Fields;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/**
 * Full fine-tuning: every weight and bias of the base's linear layers, norms and embeddings is trained, {@code y = W' x + b'}. They start as the
 * base's, so a new adapter changes nothing; the base itself stays unchanged, since the adapter is a trained copy.
 *
 * <p>Trained: as many numbers as the base has in those sites. Files: the parameters under their own names in PEFT's layout with {@code peft_type}
 * FULL_FINE_TUNING, which PEFT lacks; merge the adapter to get a checkpoint for other tools. Merges. Use it as the reference for other methods;
 * its learning rate is a hundredth of LoRA's. Memory: weights, gradients and two moments in fp32.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, FullFineTuning.DEFAULT, 42);
 * }</pre>
 *
 * @param embeddings whether embeddings are trained too, and a head that is one of them
 */
public record FullFineTuning(boolean embeddings) implements Method {
    /** Full fine-tuning that includes the embeddings. */
    public static final FullFineTuning DEFAULT = new FullFineTuning(true);

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Set<Tensor> tables = FullParameterTuning.tables(g.base());
        FullParameterTuning.graft(g, site -> embeddings || !FullParameterTuning.isTable(site, tables));
    }

    @Override
    public void write(ObjectNode json, Base base) {
        json.put("train_embeddings", embeddings);
    }

    /** Registers {@code full-fine-tuning}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "full-fine-tuning";
        }

        @Override
        public String summary() {
            return "trains every weight and bias of the base";
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
            return "FULL_FINE_TUNING";
        }

        @Override
        public double rateFactor() {
            return 0.1;
        }

        @Override
        public Method read(Fields f, Base base) {
            return new FullFineTuning(f.bool("train_embeddings", true));
        }
    }
}
