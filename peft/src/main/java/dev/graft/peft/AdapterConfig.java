package dev.graft.peft;

import dev.graft.models.Base;
import dev.graft.models.FlexibleHead;
import dev.graft.models.Task;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Site;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A method and the common settings of adapters.
 *
 * @param modulesToSave names, or ends of names, of modules that are trained and saved whole
 * @param task PEFT's task type, or null
 * @param baseName the name of the base at the adapter's creation
 * @param revision the base's revision, or null
 */
@RecordBuilder
public record AdapterConfig(
        Method method,
        List<String> modulesToSave,
        @Nullable Task task,
        @Nullable String baseName,
        @Nullable String revision)
        implements AdapterConfigBuilder.With {
    public AdapterConfig {
        modulesToSave = modulesToSave.stream().distinct().toList();
    }

    /**
     * Returns the configuration of a method on a base. The heads of classifiers and for answer spans are saved whole, as in PEFT.
     */
    public static AdapterConfig of(Base base, Method method) {
        return new AdapterConfig(method, heads(base), base.task(), base.name(), null);
    }

    /** Returns whether a module, or one that contains it, is trained and saved whole. */
    public boolean savesWhole(String module) {
        return SavedModules.contains(modulesToSave, module);
    }

    /** Returns whether a module is saved whole although it doesn't belong to the trained head of its base's task. */
    public boolean savesBesideHead(Base base, String module) {
        return savesWhole(module) && !isOfHead(base, module);
    }

    /** Returns whether a module belongs to the head that is trained with an adapter for a base's task. */
    public static boolean isOfHead(Base base, String module) {
        return SavedModules.contains(heads(base), module);
    }

    /**
     * Returns the modules of the head that is trained with an adapter. They have PEFT's names for the task. If the head's output layer has none
     * of these names, as for sequences in encoder-decoders, its module is included. Newly initialised layers of the head, such as DeBERTa's
     * pooler, are included; PEFT leaves those untrained.
     */
    static List<String> heads(Base base) {
        FlexibleHead flexibleHead = base.flexibleHead();
        if (flexibleHead != null) {
            return List.of(flexibleHead.module());
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
            boolean lacking = base.newParameters().contains(site.name() + ".weight");
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
