// How Java calls, and what all loops have in common.

#pragma once

using jlong = long long;
using jint = int;
using jfloat = float;

constexpr jlong least(jlong a, jlong b) { return a < b ? a : b; }

#define NATIVE(type, name) extern "C" __attribute__((visibility("default"))) type Java_dev_graft_tensor_Kernels_##name

template <typename T>
static inline T *at(jlong address) {
    return reinterpret_cast<T *>(address);
}
