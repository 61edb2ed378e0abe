package dev.graft.peft;

import dev.graft.models.Base;
import dev.graft.models.FlexibleHead;
import dev.graft.models.Task;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A method and what every adapter has beside it.
 *
 * @param modulesToSave names (or their ends) of modules that are trained and saved whole
 * @param task PEFT's task type, or null
 * @param baseName what the base was called when the adapter was made
 * @param revision the base's revision, or null
 */
public record AdapterConfig(
        Method method,
        List<String> modulesToSave,
        @Nullable Task task,
        @Nullable String baseName,
        @Nullable String revision) {
    public AdapterConfig {
        modulesToSave = modulesToSave.stream().distinct().toList();
    }

    /** A method on a base; the head of a classifier or of an answer finder is saved whole, as PEFT does. */
    public static AdapterConfig of(Base base, Method method) {
        return new AdapterConfig(method, heads(base), base.task(), base.name(), null);
    }

    /** The same with another method, as where the adapters of several tasks become one. */
    public AdapterConfig withMethod(Method newMethod) {
        return new AdapterConfig(newMethod, modulesToSave, task, baseName, revision);
    }

    public AdapterConfig withModulesToSave(List<String> names) {
        return new AdapterConfig(method, names, task, baseName, revision);
    }

    /** Whether a module, or one that it is in, is trained and saved whole. */
    public boolean savesWhole(String module) {
        return SavedModules.contains(modulesToSave, module);
    }

    /** Whether a module is saved whole though it isn't of the head that is trained for the task of its base. */
    public boolean savesBesideHead(Base base, String module) {
        return savesWhole(module) && !isOfHead(base, module);
    }

    /** Whether a module is of the head that is trained with an adapter for the task of a base. */
    public static boolean isOfHead(Base base, String module) {
        return SavedModules.contains(heads(base), module);
    }

    /**
     * The modules of the head that is trained with an adapter: those that PEFT names for the task, and what PEFT leaves as it was made: where the head
     * has none of these names, as those of encoder-decoders for sequences, its own, and its layers that the checkpoint lacks, such as DeBERTa's pooler.
     */
    static List<String> heads(Base base) {
        FlexibleHead flexible = base.flexibleHead();
        if (flexible != null) {
            return List.of(flexible.module());
        }
        List<String> names = heads(base.task());
        Linear output = base.head().output();
        if (names.isEmpty() || output == null) {
            return names;
        }
        List<String> modules = new ArrayList<>(names);
        if (!SavedModules.contains(modules, output.name())) {
            modules.add(output.name().split("\\.", 2)[0]);
        }
        for (Site site : base.head().sites()) {
            boolean lacking = base.freshParameters().contains(site.name() + ".weight");
            if (lacking && !SavedModules.contains(modules, site.name())) {
                modules.add(site.name());
            }
        }
        return modules;
    }

    static List<String> heads(@Nullable Task task) {
        if (task != null && (task.classifies() || task == Task.MULTIPLE_CHOICE)) {
            return List.of("classifier", "score");
        }
        return task == Task.QUESTION_ANS ? List.of("qa_outputs") : List.of();
    }
}
