package dev.graft.peft;

import java.util.List;

/** The modules that are trained and saved whole beside a method: PEFT's {@code modules_to_save}. */
final class SavedModules {
    private SavedModules() {}

    /**
     * Returns whether a module, or one that contains it, has a name that ends with one of those to save (as
     * {@code _set_trainable} of PEFT).
     */
    static boolean contains(List<String> modulesToSave, String module) {
        if (modulesToSave.isEmpty()) {
            return false;
        }
        for (int end = module.length(); end > 0; end = module.lastIndexOf('.', end - 1)) {
            String ancestor = module.substring(0, end);
            if (modulesToSave.stream().anyMatch(ancestor::endsWith)) {
                return true;
            }
        }
        return false;
    }
}
