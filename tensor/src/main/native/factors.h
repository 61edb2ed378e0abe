// The low-rank update of a text by a layer, y += scale B A x.

#pragma once

template <typename T>
struct Factors {
    const T *a;  // [rank, in], null for no update
    const T *b;  // [out, rank]
    long long rank;
    double scale;
};
