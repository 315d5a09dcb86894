"""Permissions of promotions."""

PERMISSIONS = {
    "coupon.own": "领取并查看自己的优惠券",
    "merchant_promotion.view": "查看本店活动和优惠券",
    "merchant_promotion.edit": "设置本店活动和优惠券",
    "promotion.view": "查看全部活动和优惠券",
    "promotion.edit": "设置平台活动和优惠券、暂停商家活动",
    "promotion.approve": "审核平台活动和优惠券",
    "coupon.issue": "定向发放和作废优惠券",
}
