// What Java asks of recordings.

#include "recording.h"
#include "values.h"

__thread Recording *recording = nullptr;
__thread Repeating repeating = {0, 0, nullptr};

namespace {

struct Repeated {
    const Recording &its;

    template <typename Barrier>
    void part(int member, int size, Barrier barrier) const {
        repeating = {member, size, barrier};
        for (const Kept *kept = its.first; kept; kept = kept->next) {
            kept->run(kept);
        }
        repeating = {0, 0, nullptr};
    }
};

}  // namespace

// Keeps the loops of this thread from now on.
NATIVE(jlong, KernelRecording, record)(JNIEnv *, jclass) {
    recording = static_cast<Recording *>(malloc(sizeof(Recording)));
    if (recording) {
        *recording = {nullptr, nullptr, true};
    }
    return reinterpret_cast<jlong>(recording);
}

NATIVE(jint, KernelRecording, recorded)(JNIEnv *, jclass) {
    const bool whole = recording && recording->whole;
    recording = nullptr;
    return whole;
}

NATIVE(void, KernelRecording, repeat)(JNIEnv *, jclass, jlong its, jint threads) { together(Repeated{*at<Recording>(its)}, threads); }

NATIVE(void, KernelRecording, forget)(JNIEnv *, jclass, jlong its) {
    for (Kept *kept = its ? at<Recording>(its)->first : nullptr; kept;) {
        Kept *next = kept->next;
        free(kept);
        kept = next;
    }
    free(at<Recording>(its));
}
