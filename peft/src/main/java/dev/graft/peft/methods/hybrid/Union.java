package dev.graft.peft.methods.hybrid;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.Statistics;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.AdapterHubType;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.mixture.XLora;
import dev.graft.peft.methods.prompt.PromptTuning;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * Several methods in one adapter, AdapterHub's {@code ConfigUnion}: each declares its parameters and effects as if alone. Effects at the same
 * site run in the order of the list. Trained values and cost are the sums of the parts'.
 *
 * <p>Files, in AdapterHub's layout: {@code architecture: union} and {@code configs}, a list of the parts' own configurations, and all tensors in
 * one file under each part's own names. Parts may also be PEFT's methods, which AdapterHub doesn't support. Merges if all parts do. Two parts
 * with a tensor of the same name, such as two LoRAs on one layer or two bottlenecks behind one block, are refused. {@link UniPelt} and
 * {@link Mam} are unions with names of their own.
 *
 * <pre>{@code
 * Adapter adapter = Adapter.create(base, new Union(List.of(new Lora(LoraConfig.DEFAULT), PromptTuning.DEFAULT)), 42);
 * }</pre>
 */
public record Union(List<Method> parts) implements Method {
    /** LoRA beside a soft prompt. */
    public static final Union DEFAULT =
            new Union(List.of(Lora.Kind.INSTANCE.defaults(), PromptTuning.Kind.INSTANCE.defaults()));

    public Union {
        parts = List.copyOf(parts);
        if (parts.size() < 2) {
            throw new InputException(MethodList.PARTS + " has " + parts.size() + " methods, expected at least 2");
        }
        for (Method part : parts) {
            if (part instanceof AdapterDrop) {
                throw new InputException(MethodList.PARTS
                        + " has adapter-drop, which leaves out all parts of a union: put the union inside it");
            }
            if (part instanceof XLora) {
                throw new InputException(MethodList.PARTS
                        + " has xlora, which holds adapters in folders of their own: stack it with others instead");
            }
            if (part.type().peftType().equals(MethodList.UNION)) {
                throw new InputException(MethodList.PARTS + " has a union in it: list its parts instead");
            }
        }
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        parts.forEach(part -> part.graft(g));
    }

    @Override
    public Base targetBase(Base base) {
        Base whole = base;
        for (Method part : parts) {
            whole = part.targetBase(whole);
        }
        return whole;
    }

    @Override
    public boolean needsData() {
        return parts.stream().anyMatch(Method::needsData);
    }

    @Override
    public Method calibrated(Base base, List<String> modulesToSave, Statistics statistics) {
        return new Union(parts.stream()
                .map(part -> part.needsData() ? part.calibrated(base, modulesToSave, statistics) : part)
                .toList());
    }

    @Override
    public TrainingRule trainingRule(Instance adapter, TrainingRule.Run run) {
        return CompositeTrainingRule.of(parts, adapter, run);
    }

    @Override
    public Method savedMethod(Instance adapter) {
        return new Union(
                parts.stream().map(part -> part.savedMethod(adapter.part(part))).toList());
    }

    @Override
    public void write(ObjectNode c, Base base) {
        MethodList.write(c, parts, base);
    }

    /** Registers {@code union}. */
    public static final class Kind implements AdapterHubType {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "union";
        }

        @Override
        public String summary() {
            return "several methods in one adapter";
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
            return MethodList.UNION;
        }

        @Override
        public boolean matches(Fields config) {
            return AdapterHubFields.isOf(config, MethodList.UNION)
                    && !UniPelt.Kind.INSTANCE.matches(config)
                    && !Mam.Kind.INSTANCE.matches(config);
        }

        @Override
        public Method read(Fields f, Base base) {
            return new Union(MethodList.read(f, base));
        }
    }
}
