"""Words for figures, elements and paths, Chinese and English, on terminals and pages."""

from __future__ import annotations

PATH_NAMES = {
    "direct": "本科室直接 direct",
    "level_1": "行政后勤分摊 level 1",
    "level_2": "医疗辅助分摊 level 2",
    "level_1_2": "行政后勤、医疗辅助 levels 1, 2",
    "level_3": "医疗技术分摊 level 3",
    "level_1_3": "行政后勤、医疗技术 levels 1, 3",
    "level_2_3": "医疗辅助、医疗技术 levels 2, 3",
    "level_1_2_3": "三级分摊 levels 1, 2, 3",
    "traced": "直接计入的药品耗材 traced",
    "opening": "期初在院病人成本 opening",
    "rounding": "尾差 rounding",
}
FIGURE_NAMES = {
    "full_cost": "科室全成本 Full cost of department",
    "gross_cost": "科室分摊前成本 Cost of department before handing on",
    "service_item_cost": "项目成本 Cost of service item",
    "drg_cost": "病组成本 Cost of DRG group",
}
ELEMENT_NAMES = {
    "staff": "人员经费 staff",
    "materials": "卫生材料费 materials",
    "drugs": "药品费 drugs",
    "depreciation": "固定资产折旧费 depreciation",
    "amortisation": "无形资产摊销费 amortisation",
    "risk_fund": "提取医疗风险基金 risk_fund",
    "other": "其他运行费用 other",
}


def share_of(fen: int, total: int) -> str:
    """A part in percent of the whole; nothing where the whole is nothing."""
    # What is rounded to nothing has no sign.
    return f"{round(fen / total, 3) + 0.0:.1%}" if total else ""


def path_name(path: str, figure: str) -> str:
    """A path in words, with what follows the departments."""
    after = {"service_item_cost": " → 项目 item", "drg_cost": " → 项目 item → 病例 case"}
    alone = path in ("opening", "rounding")
    return PATH_NAMES[path] + ("" if alone else after.get(figure, ""))
