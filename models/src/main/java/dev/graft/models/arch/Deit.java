package dev.graft.models.arch;

import dev.graft.formats.Fields;
import dev.graft.models.Architecture;
import dev.graft.models.Task;
import dev.graft.models.heads.Head;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.HookedPass;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * DeiT (Touvron et al., 2021): a ViT with a second token, trained by a teacher. A classifier reads the class token. A
 * distilled classifier has a linear map of each token and returns the mean of their outputs.
 */
public final class Deit implements Architecture {
    private static final String TEACHER = "DeiTForImageClassificationWithTeacher";

    @Override
    public String modelType() {
        return "deit";
    }

    @Override
    public String prefix() {
        return "deit.";
    }

    @Override
    public Set<Task> tasks() {
        return EnumSet.of(Task.FEATURE_EXTRACTION, Task.IMAGE_CLS, Task.SEMANTIC_SEG);
    }

    @Override
    public String classNamePrefix() {
        return "DeiT";
    }

    @Override
    public Task task(String className) {
        return className.equals(TEACHER) ? Task.IMAGE_CLS : Architecture.super.task(className);
    }

    @Override
    public String checkpointName(String name) {
        return Vit.older(name);
    }

    @Override
    public Model build(Fields config, Weights weights, HeadSpec spec) {
        weights.rename(this::checkpointName);
        boolean bare = spec.task() == Task.FEATURE_EXTRACTION;
        Vit vit = Vit.read(config, weights, bare ? "" : prefix(), List.of("cls_token", "distillation_token"), bare);
        if (spec.task() != Task.IMAGE_CLS) {
            return new Model(vit, bare ? new Head.NoHead(List.of()) : vit.segmenter(weights, spec));
        }
        int hidden = vit.hiddenSize();
        return new Model(
                vit,
                weights.has("cls_classifier.weight")
                        ? new DistilledHead(
                                weights.headLinear("cls_classifier", spec.labels(), hidden, true, spec.seed()),
                                weights.headLinear("distillation_classifier", spec.labels(), hidden, true, spec.seed()))
                        : Vit.classifier(weights, hidden, spec));
    }

    /** The mean of two linear maps, one of the class token and one of the distillation token. */
    private record DistilledHead(Linear ofClass, Linear ofTeacher) implements Head.CustomHead {
        @Override
        public List<Site> sites() {
            return List.of(ofClass, ofTeacher);
        }

        @Override
        public Tensor rows(HiddenStates hidden, HookedPass pass) {
            return hidden.last().narrow(1, hidden.prompt(), 2);
        }

        @Override
        public Tensor project(Tensor rows, HookedPass pass) {
            Tensor one = pass.hooks().linear(ofClass, rows.select(1, 0), pass);
            Tensor other = pass.hooks().linear(ofTeacher, rows.select(1, 1), pass);
            return Ops.scale(one.add(other), 0.5);
        }

        @Override
        public @Nullable Linear output() {
            return null;
        }
    }
}
