package dev.graft.parity;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Norm;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.TrainingRule.Rate;
import dev.graft.peft.methods.bottleneck.Houlsby;
import dev.graft.peft.methods.selective.BitFit;
import dev.graft.peft.methods.selective.Layerwise;
import dev.graft.peft.methods.selective.LnTuning;
import dev.graft.tensor.NoGrad;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The methods of training runs that were computed by the formulas of papers, on a BERT that classifies. */
final class FormulaMethods {
    private static final Pattern LAYER = Pattern.compile("encoder\\.layer\\.(\\d+)\\.");

    private FormulaMethods() {}

    /** The adapter that a case begins with: the base's own parameters, but for Houlsby's adapters, whose start is stored. */
    static Adapter start(Path tree, Path folder, JsonNode manifest) {
        Base base = Base.load(
                tree.resolve("bases").resolve(manifest.path("base").asString()), Base.Options.of(Task.SEQ_CLS));
        return switch (manifest.path("case").asString()) {
            case "bitfit" -> create(base, BitFit.DEFAULT);
            case "bitfit_partial" -> create(base, new BitFit(List.of("query", "intermediate.dense")));
            case "layerwise_top1" -> create(base, new Layerwise(1));
            case "layerwise_top2" -> create(base, new Layerwise(2));
            case "layerwise_discriminative" ->
                create(base, new Layerwise(base.backbone().layers()));
            case "layernorm" -> create(base, LnTuning.DEFAULT);
            case "linear_probe" -> create(base, new HeadAlone());
            case "houlsby_layernorm" -> houlsby(base, folder.resolve("initial.safetensors"));
            default -> throw new NotCoveredException("training by formula: " + folder.getFileName());
        };
    }

    /** Nothing but the head, which is trained and saved whole in any case. */
    private record HeadAlone() implements Method {
        @Override
        public Type type() {
            return Layerwise.DEFAULT.type();
        }

        /** A method must act on something: here a norm gets the values that it has. */
        @Override
        public void graft(Grafter grafter) {
            Norm norm = grafter.base().sites().stream()
                    .filter(Norm.class::isInstance)
                    .map(Norm.class::cast)
                    .findFirst()
                    .orElseThrow();
            grafter.add(norm, new Effect.Replace(norm.weight(), norm.bias()));
        }

        @Override
        public void write(ObjectNode config, Base base) {}
    }

    private static Adapter create(Base base, Method method) {
        return Adapter.create(base, method, 1);
    }

    private static Adapter houlsby(Base base, Path values) {
        try (ReferenceTensors initial = new ReferenceTensors(values);
                NoGrad noGrad = new NoGrad()) {
            String down = initial.startingWith("").stream()
                    .filter(key -> key.endsWith("adapter_down.0.weight"))
                    .findFirst()
                    .orElseThrow();
            double hidden = base.backbone().hiddenSize();
            Adapter adapter = create(
                    base,
                    Houlsby.DEFAULT.withReduction(hidden / initial.get(down).size(0)));
            for (String key : initial.startingWith("")) {
                Tensor own = adapter.trainable().get(key.replace(".task.", ".*."));
                if (own == null) {
                    throw new IllegalStateException("nothing is trained under " + key);
                }
                own.copy_(initial.get(key));
            }
            return adapter;
        }
    }

    /** Rates by layer where a case has them: the run's over {@code 2.6^depth}, with depth 0 for the last layer and what follows it. */
    static Function<String, Rate> rates(JsonNode manifest, Base base) {
        boolean discriminative = manifest.path("case").asString().equals("layerwise_discriminative");
        return key -> {
            Matcher layer = LAYER.matcher(key);
            boolean inside = discriminative && layer.find();
            int depth = inside ? base.backbone().layers() - 1 - Integer.parseInt(layer.group(1)) : 0;
            return new Rate(1 / Math.pow(2.6, depth), 0);
        };
    }
}
