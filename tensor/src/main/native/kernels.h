// What Java calls, as javac declares it: a definition with other types doesn't compile. And what all loops have in common.

#pragma once

#include "dev_graft_tensor_internal_kernels_Kernels.h"

constexpr jlong least(jlong a, jlong b) { return a < b ? a : b; }

#define NATIVE(type, name) extern "C" JNIEXPORT type JNICALL Java_dev_graft_tensor_internal_kernels_Kernels_##name

template <typename T>
static inline T *at(jlong address) {
    return reinterpret_cast<T *>(address);
}
